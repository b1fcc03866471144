/**
 * Bar charts as SVG text, for reports that a person opens in a browser or a page of Markdown: groups of horizontal bars with
 * their 95 % intervals. No script, no font but the reader's; colours that remain apart in grey and for the colour-blind
 * (Okabe and Ito, 2008), and a background of its own, so that it reads on a dark page too.
 */
export interface Bar {
  readonly series: string
  readonly value: number
  /** The whisker; absent where there is none. */
  readonly low?: number
  readonly high?: number
}

export interface BarGroup {
  readonly label: string
  readonly bars: readonly Bar[]
}

export interface ChartOptions {
  readonly title: string
  readonly unit: string
  readonly groups: readonly BarGroup[]
  /** Of the axis. */
  readonly least: number
  readonly most: number
  /** On a logarithmic axis `least` is above 0. */
  readonly logarithmic: boolean
}

const colours = ['#0072b2', '#e69f00', '#999999', '#009e73', '#cc79a7'] as const
const left = 170
const plotWidth = 600
const right = 70
const barHeight = 9
const groupGap = 9
const top = 64
const bottom = 34
const ticks = 5

export function barChart(options: ChartOptions): string {
  const { title, unit, groups, least, most, logarithmic } = options
  const series = [...new Set(groups.flatMap(({ bars }) => bars.map((bar) => bar.series)))]
  const x = (value: number): number => {
    const clamped = Math.min(most, Math.max(least, value))
    const share = logarithmic ? Math.log(clamped / least) / Math.log(most / least) : (clamped - least) / (most - least)
    return left + share * plotWidth
  }
  const parts: string[] = []
  let y = top
  for (const { label, bars } of groups) {
    const middle = y + (bars.length * barHeight) / 2 + 4
    parts.push(`<text x="${left - 8}" y="${round(middle)}" text-anchor="end">${escaped(label)}</text>`)
    for (const bar of bars) {
      const colour = colours[series.indexOf(bar.series) % colours.length] ?? colours[0]
      const width = Math.max(1, x(bar.value) - left)
      parts.push(`<rect x="${left}" y="${y}" width="${round(width)}" height="${barHeight - 1}" fill="${colour}"><title>${escaped(`${label}, ${bar.series}: ${shown(bar.value)} ${unit}`)}</title></rect>`)
      if (bar.low !== undefined && bar.high !== undefined) {
        parts.push(`<line x1="${round(x(bar.low))}" x2="${round(x(bar.high))}" y1="${y + barHeight / 2 - 0.5}" y2="${y + barHeight / 2 - 0.5}" stroke="#000" stroke-width="1"/>`)
      }
      parts.push(`<text x="${round(x(Math.max(bar.value, bar.high ?? bar.value)) + 4)}" y="${y + barHeight - 2}" font-size="8">${shown(bar.value)}</text>`)
      y += barHeight
    }
    y += groupGap
  }
  const height = y + bottom
  const axis: string[] = []
  for (const value of logarithmic ? logarithmicTicks(least, most) : evenTicks(least, most)) {
    const at = round(x(value))
    axis.push(`<line x1="${at}" x2="${at}" y1="${top - 6}" y2="${y}" stroke="#ddd"/>`, `<text x="${at}" y="${y + 14}" text-anchor="middle">${shown(value)}</text>`)
  }
  const legend = series.map((name, index) => `<rect x="${left + index * 110}" y="34" width="10" height="10" fill="${colours[index % colours.length] ?? ''}"/><text x="${left + 15 + index * 110}" y="43">${escaped(name)}</text>`)
  const width = left + plotWidth + right
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="20" font-size="14" font-weight="bold">${escaped(title)}</text>`,
    ...legend,
    ...axis,
    ...parts,
    `<text x="${left + plotWidth}" y="${y + 28}" text-anchor="end">${escaped(unit)}</text>`,
    '</svg>\n',
  ].join('\n')
}

function evenTicks(least: number, most: number): readonly number[] {
  return Array.from({ length: ticks + 1 }, (_, tick) => least + ((most - least) * tick) / ticks)
}

/** 1, 2 and 5 of each power of ten. */
function logarithmicTicks(least: number, most: number): readonly number[] {
  const values: number[] = []
  for (let power = 10 ** Math.floor(Math.log10(least)); power <= most; power *= 10) {
    for (const step of [1, 2, 5]) if (step * power >= least && step * power <= most) values.push(step * power)
  }
  return values
}

function shown(value: number): string {
  if (value >= 1_000) return value.toFixed(0)
  return Number(value.toFixed(value >= 100 ? 0 : 1)).toString()
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
