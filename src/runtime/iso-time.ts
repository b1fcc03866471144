/**
 * Wall time as RFC 3339 in UTC with milliseconds. Where a busy service stamps several records in the same millisecond, the
 * text of the last instant is kept (`createIsoTime`), since making it costs more than most of what is stamped.
 */
export function isoTime(wallMs: number): string {
  return new Date(Math.floor(wallMs)).toISOString()
}

export type IsoTime = (wallMs: number) => string

export function createIsoTime(): IsoTime {
  let lastMs = Number.NaN
  let lastText = ''
  return (wallMs) => {
    const wholeMs = Math.floor(wallMs)
    if (wholeMs !== lastMs) {
      lastText = isoTime(wholeMs)
      lastMs = wholeMs
    }
    return lastText
  }
}
