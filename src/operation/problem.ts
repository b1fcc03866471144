/**
 * The error taxonomy: every code that a caller can meet, with its HTTP status, its title, whether the same request can
 * succeed later, and what the caller or operator does about it (public contract, part 8; the shape is RFC 9457). It is the
 * only place that states them: the HTTP layer, the OpenAPI document and `docs/errors.md` are made from it.
 *
 * Expected outcomes are values, operating errors are `OperationError`, programmer errors are assertions. Only `detail` and
 * `errors` reach a caller, so they are written by us and never hold a secret, a stack or a prompt.
 */
export interface ProblemDefinition {
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  /** What to do, for the reference page. */
  readonly remedy: string
}

export const problemCatalogue = {
  invalid_request: { status: 400, title: 'The request is not valid', retryable: false, remedy: 'Mend what `errors` names and send it again.' },
  unauthorized: { status: 401, title: 'No valid credentials', retryable: false, remedy: 'Send a configured key as `Authorization: Bearer KEY` or `x-api-key: KEY`.' },
  forbidden: { status: 403, title: 'Not allowed', retryable: false, remedy: 'Use a key whose role and tenant allow the request.' },
  not_found: { status: 404, title: 'Not found', retryable: false, remedy: 'Check the path and the id; results are kept for a limited time.' },
  method_not_allowed: { status: 405, title: 'Method not allowed', retryable: false, remedy: 'Use a method that the `Allow` header lists.' },
  conflict: { status: 409, title: 'Conflict', retryable: false, remedy: 'Use another Idempotency-Key for another request.' },
  payload_too_large: { status: 413, title: 'The body is too large', retryable: false, remedy: 'Send less: the limit is in the detail.' },
  uri_too_long: { status: 414, title: 'The URI is too long', retryable: false, remedy: 'Shorten the path or the query.' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type', retryable: false, remedy: 'Send `application/json`.' },
  policy_blocked: { status: 422, title: 'Blocked by policy', retryable: false, remedy: 'The detail names the policy; the request will not pass it as it is.' },
  rate_limited: { status: 429, title: 'Rate limit of the caller', retryable: true, remedy: 'Wait for `Retry-After`; the limit is the key’s own.' },
  headers_too_large: { status: 431, title: 'The headers are too large', retryable: false, remedy: 'Send fewer or shorter headers.' },
  internal_error: { status: 500, title: 'Internal error', retryable: true, remedy: 'Look up the correlation id in the log; report it with that line.' },
  upstream_error: { status: 502, title: 'The upstream failed', retryable: false, remedy: 'Read the attempts: each names its fault. Expired AWS credentials show here too.' },
  outcome_unknown: { status: 502, title: 'The outcome is unknown', retryable: false, remedy: 'The operation may have been carried out and must not be repeated blindly: check its effect.' },
  upstream_throttled: { status: 503, title: 'The upstream throttles', retryable: true, remedy: 'Wait for `Retry-After`; check quotas and add a target in another region.' },
  overloaded: { status: 503, title: 'Overloaded', retryable: true, remedy: 'Wait for `Retry-After`; the lowest priorities are shed first.' },
  no_route_available: { status: 503, title: 'No route can be used', retryable: true, remedy: 'Check `/health/detailed` and the overrides in force.' },
  maintenance: { status: 503, title: 'Maintenance', retryable: true, remedy: 'Wait for `Retry-After`; emergencies are answered all the same.' },
  deadline_exceeded: { status: 504, title: 'No answer within the hard timeout', retryable: true, remedy: 'Read the attempts: they say where the time went.' },
} as const satisfies Record<string, ProblemDefinition>

export type ProblemCode = keyof typeof problemCatalogue
export const problemCodes = Object.keys(problemCatalogue) as readonly ProblemCode[]

/** The request was wrong, by whoever judged it: nothing of ours failed, and no operator can mend it. */
export function isCallersMistake(code: ProblemCode): boolean {
  return problemCatalogue[code].status < 500
}

export interface FieldError {
  /** Dotted path of the member, such as `messages[0].content`. */
  readonly path: string
  readonly message: string
}

/** RFC 9457 problem details, as they travel. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ProblemCode
  readonly retryable: boolean
  /** What the `Retry-After` header says, where waiting is worth it. */
  readonly retryAfterMs?: number
  readonly correlationId?: string
  readonly operationId?: string
  readonly errors?: readonly FieldError[]
}

export interface ProblemExtras {
  readonly errors?: readonly FieldError[]
  readonly retryAfterMs?: number
  readonly operationId?: string
  /** The methods that the `Allow` header lists. */
  readonly allow?: readonly string[]
  readonly cause?: unknown
  /** Where an outcome of this code differs from the catalogue, as an upstream error that may pass. */
  readonly retryable?: boolean
}

/** What a problem is made of, without the stack that an error is made with: most refusals of an overload are never thrown. */
export interface ProblemFacts {
  readonly code: ProblemCode
  readonly detail: string
  readonly errors?: readonly FieldError[] | undefined
  readonly retryAfterMs?: number | undefined
  readonly operationId?: string | undefined
  readonly retryable?: boolean | undefined
}

/** An operating error with a code of the catalogue. `detail` is shown to callers; `cause` only to the log. */
export class OperationError extends Error {
  readonly code: ProblemCode
  readonly detail: string
  readonly errors: readonly FieldError[] | undefined
  readonly retryAfterMs: number | undefined
  readonly operationId: string | undefined
  readonly allow: readonly string[] | undefined
  readonly retryable: boolean

  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(`${code}: ${detail}`, { cause: extras.cause })
    this.name = 'OperationError'
    this.code = code
    this.detail = detail
    this.errors = extras.errors
    this.retryAfterMs = extras.retryAfterMs
    this.operationId = extras.operationId
    this.allow = extras.allow
    this.retryable = extras.retryable ?? problemCatalogue[code].retryable
  }
}

/** Where the reference page of a code lives, as `type` gives it: a stable name that is also a path of the service. */
export function problemType(code: ProblemCode): string {
  return `/problems/${code}`
}

export function toProblem(error: ProblemFacts, correlationId?: string): Problem {
  const definition = problemCatalogue[error.code]
  return {
    type: problemType(error.code),
    title: definition.title,
    status: definition.status,
    detail: error.detail,
    code: error.code,
    retryable: error.retryable ?? definition.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(error.operationId === undefined ? {} : { operationId: error.operationId }),
    ...(error.errors === undefined ? {} : { errors: error.errors }),
  }
}
