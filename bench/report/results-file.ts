/** Puts a run's report between the two marks of a results file and leaves what people wrote around them. */
export const beginMark = '<!-- measured: written by npm run bench -->'
export const endMark = '<!-- end of measured -->'

const firstText = `# Benchmark results

Medians over interleaved rounds of one run. How they are measured: [README.md](README.md).

`

export function withReport(existing: string | null, report: string): string {
  const section = `${beginMark}\n\n${report}\n\n${endMark}`
  if (existing === null) return `${firstText}${section}\n`
  const begin = existing.indexOf(beginMark)
  const end = existing.indexOf(endMark)
  if (begin < 0 || end < begin) return `${existing.trimEnd()}\n\n${section}\n`
  return existing.slice(0, begin) + section + existing.slice(end + endMark.length)
}
