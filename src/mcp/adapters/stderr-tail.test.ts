import { describe, expect, it } from 'vitest'
import { mcpLimits } from '../limits.ts'
import { createStderrTail } from './stderr-tail.ts'

describe('the tail of a child’s error output', () => {
  it('keeps the end, never more than its limit', () => {
    const tail = createStderrTail([])
    for (let line = 0; line < 10_000; line += 1) tail.add(Buffer.from(`line ${String(line)}\n`))
    expect(Buffer.byteLength(tail.text())).toBeLessThanOrEqual(mcpLimits.stderrTailBytes)
    expect(tail.text()).toMatch(/line 9999$/)
  })

  it.each([
    ['a value that the child was given', 'key=hunter2-hunter2 ok', 'key=[redacted] ok'],
    ['a bearer token', 'sent Authorization: Bearer abc.def ok', 'sent Authorization: [redacted] ok'],
    ['a long key', 'using ABSKQmVkcm9ja0FQSUtleS1hYmNkZWY1234567890 ok', 'using [redacted] ok'],
    ['control characters', 'red \u001b[31malert\u0007', 'red  [31malert'],
  ])('shows nothing of %s', (_what, printed, shown) => {
    const tail = createStderrTail(['hunter2-hunter2', 'ok'])
    tail.add(Buffer.from(printed))
    expect(tail.text()).toBe(shown)
  })

  it('leaves ordinary words alone', () => {
    const tail = createStderrTail([])
    tail.add(Buffer.from('Error: cannot find module server.js at internationalization-configuration'))
    expect(tail.text()).toBe('Error: cannot find module server.js at internationalization-configuration')
  })
})
