/**
 * Wall time as RFC 3339 in UTC with milliseconds. A busy service stamps thousands of records a second, and making a date's text
 * costs more than most of what is stamped: `createIsoTime` keeps the text of the second and puts the milliseconds behind it.
 */
export function isoTime(wallMs: number): string {
  return new Date(Math.floor(wallMs)).toISOString()
}

export type IsoTime = (wallMs: number) => string

export function createIsoTime(): IsoTime {
  let lastMs = Number.NaN
  let lastText = ''
  let second = Number.NaN
  let secondText = ''
  return (wallMs) => {
    const wholeMs = Math.floor(wallMs)
    if (wholeMs === lastMs) return lastText
    const wholeSecond = Math.floor(wholeMs / 1_000)
    if (wholeSecond !== second) {
      // Up to the point before the milliseconds.
      secondText = isoTime(wholeSecond * 1_000).slice(0, -'000Z'.length)
      second = wholeSecond
    }
    lastText = `${secondText}${String(wholeMs - wholeSecond * 1_000).padStart(3, '0')}Z`
    lastMs = wholeMs
    return lastText
  }
}
