/**
 * The configuration of the routing: the matrix with every cell open to be overridden, and the budgets of what is done
 * beyond the first attempt. Part of the one schema (`schema.ts`).
 *
 * The defaults of the matrix are the runbook's rows (`operation/matrix.ts`), stated nowhere else. Budgets and thresholds
 * start where the design puts them: hedges 5 %, retries 10 %, rescues 20 %, rescue at a chance of 0.2.
 */
import { operationTypes, priorities, routes, runbookMatrix, type OperationType } from '../operation/matrix.ts'
import { choice, flag, orNull, real, section, share, whole } from './fields.ts'

/** ms. A person or a monitor waits for the answer. */
const longestRequirementMs = 60_000
/** ms. Nobody waits for a background task. */
const longestBackgroundMs = 600_000
/** A hard timeout may be this many times the longest requirement. */
const hardTimeoutFactor = 10

const row = (type: OperationType) => {
  const longestMs = type === 'background_task' ? longestBackgroundMs : longestRequirementMs
  const cells = runbookMatrix[type]
  return section(`The row of \`${type}\`.`, {
    priority: choice(priorities, { description: 'Its rank in queue and overload; it never changes the route.', default: cells.priority, reload: 'live' }),
    latencyMs: whole({ description: 'The latency requirement, from the arrival of the request.', unit: 'ms', minimum: 1, maximum: longestMs, default: cells.latencyMs, reload: 'live' }),
    hardTimeoutMs: whole({
      description: 'When the operation ends whatever happens; not below `latencyMs`.',
      unit: 'ms',
      minimum: 1,
      maximum: longestMs * hardTimeoutFactor,
      default: cells.hardTimeoutMs,
      reload: 'live',
    }),
    route: choice(routes, { description: 'Where it goes first.', default: cells.route, reload: 'live' }),
    fallback: choice([...routes, 'none'], { description: 'Where it goes when that fails; not the route itself.', default: cells.fallback, reload: 'live' }),
  })
}

const threshold = (description: string) => orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 600_000, reload: 'live' }), { description, default: null, reload: 'live' })

export const routingSchema = section('The routing.', {
  matrix: section(
    'The routing decision matrix. Any cell can be overridden; what is absent is the runbook’s.',
    Object.fromEntries(operationTypes.map((type) => [type, row(type)])) as Record<OperationType, ReturnType<typeof row>>,
  ),
  hedging: section('A second attempt on another target when the first outlives the tail of its own history.', {
    enabled: flag({ description: 'Whether it is done.', default: true, reload: 'live' }),
    budget: share({ description: 'The share of extra attempts that it may cost.', default: 0.05, reload: 'live' }),
  }),
  retry: section('Another attempt after a failure that may pass.', {
    budget: share({ description: 'The share of extra attempts that retries of the whole process may cost.', default: 0.1, reload: 'live' }),
  }),
  rescue: section('The fallback that starts beside a primary that is likely to miss.', {
    threshold: share({ description: 'The chance of a miss at which it starts.', default: 0.2, reload: 'live' }),
    budget: share({ description: 'The share of operations that it may be started for.', default: 0.2, reload: 'live' }),
  }),
  breaker: section('The circuit breaker of every target and MCP server. `null` follows the shortest requirement of the matrix.', {
    minimumCalls: whole({ description: 'Calls in the window before a share of failures is judged.', unit: 'calls', minimum: 1, maximum: 10_000, default: 20, reload: 'live' }),
    failureShare: share({ description: 'The share of failed calls at which it opens.', default: 0.5, reload: 'live' }),
    consecutiveFailures: whole({ description: 'Failures in a row within the window at which it opens.', unit: 'calls', minimum: 1, maximum: 1_000, default: 3, reload: 'live' }),
    windowMs: orNull(whole({ description: '', unit: 'ms', minimum: 10, maximum: 3_600_000, reload: 'live' }), { description: 'Calls older than this do not count; `null`: twice the shortest requirement.', default: null, reload: 'live' }),
    restMs: orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 3_600_000, reload: 'live' }), {
      description: 'The first rest, doubled with every trip in a row; `null`: a fifth of the shortest requirement.',
      default: null,
      reload: 'live',
    }),
    longestRestMs: orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 3_600_000, reload: 'live' }), { description: 'The longest rest; `null`: six times the shortest requirement.', default: null, reload: 'live' }),
    rampMs: orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 3_600_000, reload: 'live' }), {
      description: 'How long the way back to all calls takes after the probes; `null`: the shortest requirement.',
      default: null,
      reload: 'live',
    }),
  }),
  limiter: section('How many attempts each target and MCP server is sent at once, once it has said that there is a limit. `null` follows the shortest requirement of the matrix.', {
    lowest: whole({ description: 'No limit falls below it.', unit: 'attempts', minimum: 1, maximum: 10_000, default: 1, reload: 'live' }),
    highest: whole({ description: 'No limit rises above it; not below `lowest`. A target that never said “too much” has none.', unit: 'attempts', minimum: 1, maximum: 1_000_000, default: 10_000, reload: 'live' }),
    decrease: share({ description: 'What is left of a limit after a throttle or an overload answer.', default: 0.9, reload: 'live' }),
    slowFactor: real({ description: 'First content later than this many times the usual counts as slow; where most of it is slow, the limit falls as well.', unit: 'times', minimum: 1, maximum: 1_000, default: 3, reload: 'live' }),
    carefulForMs: orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 3_600_000, reload: 'live' }), {
      description: 'For so long after it fell a limit climbs slowly near what was too much; `null`: three times the shortest requirement.',
      default: null,
      reload: 'live',
    }),
    usefulOverMs: orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 3_600_000, reload: 'live' }), {
      description: 'Over this time it is measured how many attempts at once are of use, far below which no limit falls; `null`: two fifths of the shortest requirement.',
      default: null,
      reload: 'live',
    }),
  }),
  fallbackAggressiveness: share({ description: '1 starts the fallback at the slightest risk of a miss, 0 only after a failure.', default: 0.5, reload: 'live' }),
  latencyThresholds: section('How long an attempt may show nothing before it gets help, where its operation may fall back.', {
    directMs: threshold('On the direct route; `null`: the chance of a miss alone decides.'),
    mcpMs: threshold('On the MCP route; `null`: the chance of a miss alone decides.'),
  }),
  streamSilenceMs: orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 3_600_000, reload: 'live' }), {
    description: 'The longest silence of a stream after its first content; `null`: the operation’s latency requirement.',
    default: null,
    reload: 'live',
  }),
  streamMaxMs: whole({ description: 'The longest stream, from its first content.', unit: 'ms', minimum: 1, maximum: 86_400_000, default: 600_000, reload: 'live' }),
})
