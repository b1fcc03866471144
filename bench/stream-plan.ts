/**
 * How a benchmark prompt tells the mock upstream what to stream. The plan travels inside the prompt, because the prompt
 * is the one thing that every service under test hands on untouched: one started service serves every scenario, and
 * nothing in its configuration differs between them.
 */
export interface StreamPlan {
  readonly events: number
  /** The pause between two events; 0 sends them all at once. */
  readonly everyMs: number
}

/** Bounds on what a prompt may ask of the mock: more would measure the mock itself. */
export const streamPlanLimits = { events: 2000, everyMs: 10_000 } as const

/** A word that every content event carries and no request does: the load generator counts events by it. */
export const contentMarker = 'lumen'

export function writePlan(plan: StreamPlan): string {
  return `[stream events=${plan.events} everyMs=${plan.everyMs}]`
}

const written = /\[stream events=(\d{1,6}) everyMs=(\d{1,6})\]/

/** The plan in a request body, or one event where there is none. */
export function readPlan(body: string): StreamPlan {
  const found = written.exec(body)
  if (found === null) return { events: 1, everyMs: 0 }
  return {
    events: Math.max(1, Math.min(Number(found[1]), streamPlanLimits.events)),
    everyMs: Math.min(Number(found[2]), streamPlanLimits.everyMs),
  }
}
