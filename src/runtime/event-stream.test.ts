import { describe, expect, it } from 'vitest'
import { createEventStream } from './event-stream.ts'

describe('event stream', () => {
  it('tells every reader in the order of subscription, until it leaves', () => {
    const seen: string[] = []
    const stream = createEventStream<number>(() => undefined)
    const leave = stream.subscribe((event) => seen.push(`a${event}`))
    stream.subscribe((event) => seen.push(`b${event}`))
    stream.publish(1)
    leave()
    stream.publish(2)
    expect(seen).toEqual(['a1', 'b1', 'b2'])
  })

  it('reports a reader that throws and goes on with the others', () => {
    const errors: unknown[] = []
    const seen: number[] = []
    const stream = createEventStream<number>((error) => errors.push(error))
    stream.subscribe(() => {
      throw new Error('reader')
    })
    stream.subscribe((event) => seen.push(event))
    stream.publish(1)
    expect(errors).toHaveLength(1)
    expect(seen).toEqual([1])
  })

  it('lets a reader leave while it is being told', () => {
    const seen: string[] = []
    const stream = createEventStream<number>(() => undefined)
    const leave = stream.subscribe(() => {
      seen.push('a')
      leave()
    })
    stream.subscribe(() => seen.push('b'))
    stream.publish(1)
    stream.publish(2)
    expect(seen).toEqual(['a', 'b', 'b'])
  })
})
