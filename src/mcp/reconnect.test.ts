import { describe, expect, it } from 'vitest'
import { believed, reconnectDelayMs } from './reconnect.ts'

describe('the backoff before a new connection', () => {
  it.each([
    [0, 0.9, 0, 'a server that was well is tried at once'],
    [1, 0.5, 250, 'half of the first half second'],
    [2, 0.5, 500, 'doubled'],
    [3, 0.5, 1_000, 'doubled again'],
    [7, 0.5, 15_000, 'half of the cap'],
    [10_000, 0.999, 29_970, 'never above the cap, however long it goes on'],
    [5, 0, 0, 'full jitter begins at zero'],
  ])('after %i failures with chance %d is %d ms: %s', (failures, chance, expected) => {
    expect(reconnectDelayMs(failures, chance)).toBeCloseTo(expected)
  })
})

describe('the verdict on a server’s wire', () => {
  it('is believed until it expires', () => {
    const verdict = { era: { kind: 'legacy' as const }, atMs: 1_000 }
    expect(believed(verdict, 1_999, 1_000)).toEqual({ kind: 'legacy' })
    expect(believed(verdict, 2_000, 1_000)).toBeNull()
    expect(believed(null, 0, 1_000)).toBeNull()
  })
})
