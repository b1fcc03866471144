/**
 * The configuration of who may do what: API keys, tokens of an identity provider (JWT), limits per caller, and the lock-out
 * of addresses that guess. Part of the one schema (`schema.ts`).
 *
 * Names follow the public contract, part 2. Everything here can change while running, so that a key can be withdrawn
 * without a restart. That `auth` needs keys or an identity provider is in `check-config.ts`.
 */
import { choice, flag, group, list, optional, orNull, section, text, whole } from './fields.ts'
import { idNames, urlText } from './schema-direct.ts'

/** From the least to the most powerful: the index is the rank. */
export const roles = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

/**
 * Signatures with a private key only. `none` and the HS family are not in the list on purpose: an issuer's public key is
 * public, and whoever may sign with it as a shared secret may be anybody (RFC 8725, sections 2.1 and 3.1).
 */
export const tokenAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const

const rateLimit = group(
  {
    requests: whole({ description: 'How many requests a caller may send in a window.', unit: 'requests', minimum: 1, maximum: 10_000_000, reload: 'live' }),
    windowMs: whole({ description: 'The window, which begins with the caller’s first request.', unit: 'ms', minimum: 1_000, maximum: 86_400_000, default: 60_000, reload: 'live' }),
  },
  { description: '', reload: 'live' },
)

const concurrency = whole({ description: '', unit: 'requests', minimum: 1, maximum: 100_000, reload: 'live' })

const key = group(
  {
    name: text({ ...idNames, description: 'Who it is, for audit and logs.', reload: 'live' }),
    role: choice(roles, {
      description: '`viewer` reads, `operator` also submits and acknowledges, `admin` also pulls levers.',
      reload: 'live',
    }),
    secret: optional(
      text({ description: 'The key itself; better as `${NAME}`.', maxLength: 1_024, pattern: '^[\\x21-\\x7e]+$', form: 'visible ASCII without spaces', secret: true, reload: 'live' }),
    ),
    sha256: optional(
      text({ description: 'The SHA-256 of the key, in hexadecimal, in place of `secret`.', minLength: 64, maxLength: 64, pattern: '^[0-9a-fA-F]{64}$', form: '64 hexadecimal digits', secret: true, reload: 'live' }),
    ),
    tenant: orNull(text({ ...idNames, description: '', reload: 'live' }), {
      description: 'The tenant whose operations it sees; another one in a request is refused. `null`: the request names it.',
      default: null,
      reload: 'live',
    }),
    rateLimit: orNull(rateLimit, { description: 'Its own rate limit, on each instance; `null`: that of `auth.rateLimit`, and none for an admin key.', default: null, reload: 'live' }),
    concurrency: orNull(concurrency, { description: 'Its requests at once, on each instance; `null`: as `auth.concurrency` says, and no limit for an admin key.', default: null, reload: 'live' }),
  },
  { description: 'An API key. Exactly one of `secret` and `sha256`.', reload: 'live', oneOf: [{ required: ['secret'] }, { required: ['sha256'] }] },
)

const claimPath = { maxLength: 256, pattern: '^[\\x21-\\x7e]+$', form: 'the name of a claim, or a path such as realm_access.roles' }
const claimValues = (description: string, value: string) =>
  list(text({ description: '', maxLength: 256, reload: 'live' }), { description, default: [value], maxItems: 100, reload: 'live' })

const jwt = group(
  {
    issuer: text({ ...urlText, description: 'The identity provider: the `iss` of its tokens. Its keys are found by OIDC discovery; `http://` only on this machine.', maxLength: 2_048, reload: 'live' }),
    audience: text({ description: 'This service, as the tokens’ `aud` names it; a token for another audience is refused.', maxLength: 2_048, reload: 'live' }),
    algorithms: list(choice(tokenAlgorithms, { description: '', reload: 'live' }), {
      description: 'The signatures that are accepted. Shared secrets (HS256 …) and `none` cannot be.',
      default: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      minItems: 1,
      maxItems: tokenAlgorithms.length,
      reload: 'live',
    }),
    clockToleranceMs: whole({ description: 'How far the issuer’s clock may be off.', unit: 'ms', minimum: 0, maximum: 300_000, default: 30_000, reload: 'live' }),
    jwksUri: orNull(text({ ...urlText, description: '', maxLength: 2_048, reload: 'live' }), {
      description: 'Where the issuer’s keys are; `null`: where its discovery document says.',
      default: null,
      reload: 'live',
    }),
    claims: section('Which claims say what.', {
      name: text({ ...claimPath, description: 'Who it is, for audit and logs (as `jwt:NAME`).', default: 'sub', reload: 'live' }),
      role: text({ ...claimPath, description: 'The role or groups: a text, a list, or a text of words as `scope` has it.', default: 'roles', reload: 'live' }),
      tenant: orNull(text({ ...claimPath, description: '', reload: 'live' }), {
        description: 'The tenant: a token without this claim is refused, but for an admin’s. `null`: tokens are bound to no tenant.',
        default: null,
        reload: 'live',
      }),
    }),
    roles: section('Which values of the role claim give which role; the most powerful wins, and a token with none is refused.', {
      viewer: claimValues('Values that make a viewer.', 'viewer'),
      operator: claimValues('Values that make an operator.', 'operator'),
      admin: claimValues('Values that make an admin.', 'admin'),
    }),
  },
  { description: '', reload: 'live' },
)

export const authSchema = orNull(
  group(
    {
      keys: list(key, { description: 'The API keys.', default: [], maxItems: 1_000, reload: 'live' }),
      publicHealth: flag({ description: '`/health*` is readable without a key, as the runbook’s curl lines do.', default: true, reload: 'live' }),
      jwt: orNull(jwt, { description: 'Tokens of an identity provider (OpenID Connect), as `Authorization: Bearer TOKEN`; `null`: none.', default: null, reload: 'live' }),
      rateLimit: orNull(rateLimit, { description: 'How often each caller without a limit of its own may ask, on each instance; admins are not limited by it. `null`: no limit.', default: null, reload: 'live' }),
      concurrency: orNull(concurrency, {
        description: 'How many requests, streams included, each caller without a limit of its own may have open at once, on each instance; admins are not limited by it. `null`: no limit.',
        default: null,
        reload: 'live',
      }),
      lockout: section('Addresses that guess.', {
        failures: whole({ description: 'Wrong keys or tokens of one address within the window after which it is locked out; 0 locks nobody out.', unit: 'failures', minimum: 0, maximum: 100_000, default: 20, reload: 'live' }),
        windowMs: whole({ description: 'The window in which they are counted.', unit: 'ms', minimum: 1_000, maximum: 86_400_000, default: 60_000, reload: 'live' }),
        lockMs: whole({ description: 'How long the address is refused then, unless it presents a configured key.', unit: 'ms', minimum: 1_000, maximum: 86_400_000, default: 60_000, reload: 'live' }),
      }),
    },
    { description: '', reload: 'live' },
  ),
  { description: 'Who may do what; `null`: a loopback service grants every role to local callers.', default: null, reload: 'live' },
)
