/**
 * From a scenario to the rules of the AWS emulator (`docs/emulator.md`): the pace of each region, its slots, and its faults
 * with their windows. Each region listens on a port of its own, by which its rules find it.
 */
import { placesOf, type Scenario } from '../simulate/scenario.ts'

/** A rule as the emulator reads it. */
export type EmulatorRule = Readonly<Record<string, string | number | object>>

/** @param portOf of each direct place */
export function emulatorRules(scenario: Scenario, portOf: (place: string) => number): readonly EmulatorRule[] {
  const places = placesOf(scenario, 'direct')
  const paces = places.flatMap(({ id, firstTokenMs, perTokenMs, slots, above }): readonly EmulatorRule[] => {
    const target = { port: portOf(id) }
    const pace = { kind: 'latency', target, firstTokenMs, perTokenMs }
    return slots === null ? [pace] : [pace, { kind: 'concurrency', target, limit: slots, above }]
  })
  const faults = scenario.faults.flatMap((fault) =>
    fault.places
      .filter((id) => places.some((place) => place.id === id))
      .map((id): EmulatorRule => {
        const window = { target: { port: portOf(id) }, share: fault.share, fromMs: fault.fromMs, untilMs: fault.untilMs }
        switch (fault.kind) {
          case 'down':
            return { kind: 'refused', ...window }
          case 'slow':
            return { kind: 'slow', factor: fault.factor, ...window }
          case 'break':
            return { kind: 'cut', afterEvents: eventsBeforeBreak, how: 'reset', ...window }
          case 'malformed':
            return { kind: 'malformed', form: 'truncated_json', ...window }
          case 'throttle':
          case 'hang':
          case 'expired':
            return { kind: fault.kind, ...window }
        }
      }),
  )
  return [...paces, ...faults]
}

/** Role, block and some words: enough that text has reached the caller. */
const eventsBeforeBreak = 6
