import { describe, expect, it } from 'vitest'
import { createIds } from './ids.ts'
import { createVirtualClock } from './virtual-clock.ts'

describe('ids', () => {
  it('carry their prefix and 26 characters that need no escaping in a path', () => {
    expect(createIds(createVirtualClock()).next('op')).toMatch(/^op_[0-9a-hjkmnp-tv-z]{26}$/)
  })

  it('sort by creation', () => {
    const clock = createVirtualClock()
    const ids = createIds(clock)
    const made = Array.from({ length: 200 }, () => {
      clock.advance(7)
      return ids.next('op')
    })
    expect([...made].sort()).toEqual(made)
  })

  it('do not repeat, across the blocks in which random bytes are drawn too', () => {
    const ids = createIds(createVirtualClock())
    const made = Array.from({ length: 5_000 }, () => ids.next('op'))
    expect(new Set(made).size).toBe(made.length)
  })
})
