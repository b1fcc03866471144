/**
 * Wall time as RFC 3339 in UTC with milliseconds. The text of the last instant is kept: a busy service stamps several
 * records in the same millisecond, and making the text costs more than most of what is stamped.
 */
export type IsoTime = (wallMs: number) => string

export function createIsoTime(): IsoTime {
  let lastMs = Number.NaN
  let lastText = ''
  return (wallMs) => {
    const wholeMs = Math.floor(wallMs)
    if (wholeMs !== lastMs) {
      lastText = new Date(wholeMs).toISOString()
      lastMs = wholeMs
    }
    return lastText
  }
}
