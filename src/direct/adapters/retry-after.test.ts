import { describe, expect, test } from 'vitest'
import { retryAfterMs } from './retry-after.ts'

const nowMs = Date.UTC(2026, 0, 1, 12)

describe('how long an answer asks us to wait', () => {
  test.each([
    ['seconds', '3', undefined, 3_000],
    ['a date to come', 'Thu, 01 Jan 2026 12:00:07 GMT', undefined, 7_000],
    ['a date that has passed', 'Thu, 01 Jan 2026 11:00:00 GMT', undefined, 0],
    ['AWS milliseconds', undefined, '250', 250],
    ['AWS milliseconds before seconds', '3', '250', 250],
    ['seconds when the milliseconds are none', '3', 'soon', 3_000],
    ['nothing', undefined, undefined, undefined],
    ['no number and no date', 'later', undefined, undefined],
    ['a negative number', '-5', '-5', undefined],
  ])('%s', (_name, seconds, milliseconds, expected) => {
    expect(retryAfterMs(seconds, milliseconds, nowMs)).toBe(expected)
  })
})
