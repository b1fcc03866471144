import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCallGate } from './call-gate.ts'

describe('the gate before a server', () => {
  it('lets in as many as its limit and keeps the others in the order of their arrival', () => {
    const gate = createCallGate(2, 10)
    const entered: number[] = []
    for (const number of [1, 2, 3, 4]) gate.enter(() => entered.push(number))
    expect(entered).toEqual([1, 2])
    gate.exit()
    expect(entered).toEqual([1, 2, 3])
    gate.setLimit(3)
    expect(entered).toEqual([1, 2, 3, 4])
  })

  it('lets the urgent go first: by priority, then by when the answer is wanted, then by arrival', () => {
    const gate = createCallGate(1, 10)
    const entered: string[] = []
    gate.enter(() => entered.push('first'))
    const turns: [string, number, number][] = [['low', 3, 1], ['late', 1, 9], ['early', 1, 5], ['early too', 1, 5], ['critical', 0, 9]]
    for (const [name, rank, wantedByMs] of turns) gate.enter(() => entered.push(name), { rank, wantedByMs })
    for (let exits = 0; exits < 5; exits += 1) gate.exit()
    expect(entered).toEqual(['first', 'critical', 'early', 'early too', 'late', 'low'])
  })

  it('forgets who left the line, and refuses when the line is full', () => {
    const gate = createCallGate(1, 1)
    gate.enter(() => undefined)
    const ticket = gate.enter(() => {
      throw new Error('left already')
    })
    expect(gate.enter(() => undefined)).toBeNull()
    ticket?.leave()
    gate.exit()
    expect([gate.inside(), gate.waiting()]).toEqual([0, 0])
  })

  it('never holds more than its limit, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(fc.constantFrom('enter', 'exit', 'leave'), { maxLength: 60 }), (limit, moves) => {
        const gate = createCallGate(limit, 5)
        const line: { leave(): void }[] = []
        let inside = 0
        let most = 0
        for (const move of moves) {
          if (move === 'enter') {
            const ticket = gate.enter(() => {
              inside += 1
              most = Math.max(most, inside)
            })
            if (ticket !== null) line.push(ticket)
          } else if (move === 'leave') line.shift()?.leave()
          else if (inside > 0) {
            inside -= 1
            gate.exit()
          }
          expect(gate.inside()).toBe(inside)
        }
        expect(most).toBeLessThanOrEqual(limit)
        // Nobody waits while a place is free.
        expect(gate.waiting() === 0 || inside === limit).toBe(true)
      }),
    )
  })
})
