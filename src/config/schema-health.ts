/**
 * The configuration of the Health Checker: how often it looks, how long it waits, when a level changes, and whether it may
 * spend money. Part of the one schema (`schema.ts`).
 *
 * Three bad and five good observations are the runbook's; the intervals are chosen so that a failure without traffic is
 * certain within twelve seconds and a recovery within twenty.
 */
import { flag, real, section, whole } from './fields.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

export const healthSchema = section('The Health Checker. Traffic tells first; where there is none, probes that cost no tokens do.', {
  intervalMs: whole({ description: 'Between two looks at a target, a server or the store.', unit: 'ms', minimum: 100, maximum: hourMs, default: 10_000, reload: 'live' }),
  undecidedIntervalMs: whole({ description: 'The same while a change of its level is in question.', unit: 'ms', minimum: 100, maximum: hourMs, default: 2_000, reload: 'live' }),
  timeoutMs: whole({ description: 'How long a probe may take.', unit: 'ms', minimum: 50, maximum: 60_000, default: 5_000, reload: 'live' }),
  worsensAfter: whole({ description: 'Bad observations in a row after which a level worsens.', unit: 'observations', minimum: 1, maximum: 100, default: 3, reload: 'live' }),
  recoversAfter: whole({ description: 'Good observations in a row after which it recovers.', unit: 'observations', minimum: 1, maximum: 100, default: 5, reload: 'live' }),
  trustTrafficMs: whole({
    description: 'How long failed traffic outranks probes that succeed: a free probe cannot see whether operations are answered.',
    unit: 'ms',
    minimum: 0,
    maximum: hourMs,
    default: 60_000,
    reload: 'live',
  }),
  probing: flag({ description: 'Whether targets and servers are probed when there is no traffic. Off: their traffic alone tells how they are.', default: true, reload: 'live' }),
  canary: section('A real operation on every target from time to time, for which the provider charges: the only probe that sees what a model answers when there is no traffic.', {
    enabled: flag({ description: 'Whether it is done.', default: false, reload: 'live' }),
    intervalMs: whole({ description: 'Between two of them on one target without traffic.', unit: 'ms', minimum: 10_000, maximum: dayMs, default: 300_000, reload: 'live' }),
    maxTokens: whole({ description: 'The longest answer.', unit: 'tokens', minimum: 1, maximum: 256, default: 8, reload: 'live' }),
    costPerDay: real({
      description: 'What all of them may cost in a UTC day, in the currency of the price table, over all instances of a store; a model without a price is not asked.',
      unit: 'currency',
      minimum: 0,
      maximum: 1_000,
      default: 0.1,
      reload: 'live',
    }),
  }),
})
