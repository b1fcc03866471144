/**
 * The Direct Bedrock Client: the path that asks Amazon Bedrock itself. It joins the pure parts of this folder with its
 * adapters: it plans an attempt from the operation and the settings, keeps credentials, signing keys and connections per
 * target, and hands the attempt to `ConverseAttempt`.
 *
 * A request is prepared once: hedges, retries and fallbacks of an operation send the same bytes, so the body and its hash
 * are kept beside the canonical request for as long as that lives.
 *
 * It makes no decision: which target, when, and what after a failure is the routing core's.
 */
import type { ConverseRequest } from '../operation/converse.ts'
import type { Fault } from '../operation/fault.ts'
import type { AttemptListener, AttemptRequest, Path, RunningAttempt } from '../operation/path.ts'
import type { Clock } from '../runtime/clock.ts'
import { DenseSet } from '../runtime/dense-set.ts'
import { checkControlPlane } from './adapters/connection-check.ts'
import type { ConnectionCheck } from './adapters/connection-check.ts'
import { Connections } from './adapters/connections.ts'
import { ConverseAttempt } from './adapters/converse-attempt.ts'
import { CredentialKeeper } from './adapters/credential-keeper.ts'
import type { AwsCredentials, CredentialSource } from './adapters/credential-keeper.ts'
import { canonicalPath, payloadHash, SignatureV4Signer } from './adapters/signature-v4.ts'
import { converseBody, conversePath } from './converse-request.ts'
import type { ConverseAction } from './converse-request.ts'
import { asksForNewCredentials, clientClosed, noCredentials, unknownTarget } from './fault-classifier.ts'
import { controlPlaneEndpoint, runtimeEndpoint } from './settings.ts'
import type { DirectSettings, DirectTarget, Endpoint, OperationSettings } from './settings.ts'

export interface DirectBedrockClientParts {
  readonly settings: DirectSettings
  readonly clock: Clock
  readonly credentials: CredentialSource
}

export interface DirectBedrockClient extends Path {
  readonly route: 'direct'
  /** In the configured order. */
  readonly targets: readonly DirectTarget[]
  /** Obtains credentials before the first request needs them; the fault, or null when they are at hand. */
  warmUp(): Promise<Fault | null>
  /** Asks the control plane of a target, signed, for its models: reaches it, and shows whether the credentials are good. */
  checkConnection(targetId: string, deadlineMs: number): Promise<ConnectionCheck>
  /** Running attempts keep what they began with. */
  update(settings: DirectSettings): void
  /** Ends what runs as cancelled, and closes every connection. */
  close(): void
}

const contentType = 'application/json'
/** What is sent beside the authorization; the content type is part of the signature. */
const plainHeaders = ['content-type', contentType, 'user-agent', 'hybrid-routing']
const service = 'bedrock'

/** One target with what is kept for it. */
interface OpenTarget {
  readonly target: DirectTarget
  readonly endpoint: Endpoint
  readonly connections: Connections
  readonly signer: SignatureV4Signer
  /** By model and action; the models are the configured ones, so there are few. */
  readonly paths: Map<string, { readonly path: string; readonly canonical: string }>
}

interface PreparedBody {
  readonly settings: OperationSettings | undefined
  readonly body: Buffer
  readonly hash: string
}

/** Callers may name models; beyond this many per target the oldest path is computed again. */
const keptPaths = 64

export function createDirectBedrockClient(parts: DirectBedrockClientParts): DirectBedrockClient {
  const { clock, credentials } = parts
  const keeper = credentials.kind === 'provider' ? new CredentialKeeper(clock, credentials.obtain) : null
  const bearer = credentials.kind === 'api_key' ? ['authorization', `Bearer ${credentials.key}`] : null
  const prepared = new WeakMap<ConverseRequest, PreparedBody>()
  const running = new DenseSet<ConverseAttempt>()
  let settings = parts.settings
  let open = openTargets(settings, new Map())
  let closed = false

  const prepare = (request: AttemptRequest): PreparedBody => {
    const { converse, type } = request.operation
    const operationSettings = settings.operations[type]
    const kept = prepared.get(converse)
    if (kept !== undefined && kept.settings === operationSettings) return kept
    const body = Buffer.from(converseBody(converse, operationSettings))
    const fresh = { settings: operationSettings, body, hash: bearer === null ? payloadHash(body) : '' }
    prepared.set(converse, fresh)
    return fresh
  }

  const endAtOnce = (listener: AttemptListener, fault: Fault): RunningAttempt => {
    let cancelled = false
    const spend = { modelId: null, usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 }, estimated: false }
    queueMicrotask(() => listener.onEnd(cancelled ? { outcome: 'cancelled', spend } : { outcome: 'failed', fault, spend }))
    return {
      cancel() {
        cancelled = true
      },
    }
  }

  return {
    route: 'direct',
    get targets() {
      return settings.targets
    },
    start(request, listener) {
      if (closed) return endAtOnce(listener, clientClosed)
      const to = open.get(request.target)
      if (to === undefined) return endAtOnce(listener, unknownTarget)
      const body = prepare(request)
      const modelId = request.operation.modelId ?? settings.operations[request.operation.type]?.modelId ?? to.target.modelId
      const { path, canonical } = pathOf(to, modelId, request.streaming ? 'converse-stream' : 'converse')
      const { traceparent } = request.operation
      // Unsigned: proxies on the way may write their own span into it.
      const unsigned = traceparent === undefined ? plainHeaders : [...plainHeaders, 'traceparent', traceparent]
      let used: AwsCredentials | null = null
      const sign = (with_: AwsCredentials): string[] => {
        used = with_
        const headers = to.signer.sign(
          { method: 'POST', canonicalPath: canonical, host: to.endpoint.host, contentType, payloadHash: body.hash },
          with_,
          clock.nowMs(),
        )
        headers.push(...unsigned)
        return headers
      }
      const attempt: ConverseAttempt = new ConverseAttempt(
        clock,
        request,
        {
          onSent: () => listener.onSent(),
          onEvent: (event) => listener.onEvent(event),
          onEnd: (end) => {
            running.delete(attempt)
            listener.onEnd(end)
          },
        },
        {
          modelId,
          path,
          body: body.body,
          connections: to.connections,
          limits: settings.limits,
          authorize: () => {
            if (keeper === null) return [...(bearer ?? []), ...unsigned]
            const current = keeper.current()
            return current === null ? keeper.renew().then(sign) : sign(current)
          },
          onFault: (fault) => {
            if (used !== null && asksForNewCredentials(fault)) keeper?.refused(used)
          },
        },
      )
      running.add(attempt)
      attempt.start()
      return attempt
    },
    async warmUp() {
      if (keeper === null || keeper.current() !== null) return null
      try {
        await keeper.renew()
        return null
      } catch {
        // Why not is for the person at the machine (`doctor`); the SDK's message may name accounts and files.
        return noCredentials
      }
    },
    async checkConnection(targetId, deadlineMs) {
      const to = open.get(targetId)
      if (to === undefined || closed) return { ok: false, durationMs: 0, fault: closed ? clientClosed : unknownTarget }
      const endpoint = controlPlaneEndpoint(to.target)
      const path = `${endpoint.basePath}/foundation-models`
      return checkControlPlane({
        clock,
        endpoint,
        path,
        deadlineMs,
        connectMs: settings.limits.connectMs,
        maxBytes: settings.limits.maxResponseBytes,
        authorize: async () => {
          if (keeper === null) return [...(bearer ?? [])]
          const current = keeper.current() ?? (await keeper.renew())
          const signable = { method: 'GET', canonicalPath: canonicalPath(path), host: endpoint.host, contentType: null, payloadHash: payloadHash('') } as const
          return to.signer.sign(signable, current, clock.nowMs())
        },
      })
    },
    update(next) {
      settings = next
      open = openTargets(next, open)
    },
    close() {
      if (closed) return
      closed = true
      for (const attempt of running.members()) attempt.cancel()
      for (const { connections } of open.values()) connections.close()
      keeper?.close()
    },
  }
}

/** Targets that are unchanged keep their connections; those that are gone lose theirs when their last attempt ends. */
function openTargets(settings: DirectSettings, before: ReadonlyMap<string, OpenTarget>): Map<string, OpenTarget> {
  const open = new Map<string, OpenTarget>()
  for (const target of settings.targets) {
    const known = before.get(target.id)
    const endpoint = runtimeEndpoint(target)
    const same = known !== undefined && known.endpoint.origin === endpoint.origin && known.target.region === target.region
    open.set(target.id, {
      target,
      endpoint,
      connections: same ? known.connections : new Connections(endpoint.origin),
      signer: same ? known.signer : new SignatureV4Signer(target.region, service),
      paths: new Map(),
    })
  }
  for (const [id, known] of before) if (open.get(id)?.connections !== known.connections) known.connections.close()
  return open
}

function pathOf(to: OpenTarget, modelId: string, action: ConverseAction): { readonly path: string; readonly canonical: string } {
  const key = `${action} ${modelId}`
  let known = to.paths.get(key)
  if (known === undefined) {
    const path = conversePath(to.endpoint.basePath, modelId, action)
    known = { path, canonical: canonicalPath(path) }
    const [oldest] = to.paths.keys()
    if (to.paths.size >= keptPaths && oldest !== undefined) to.paths.delete(oldest)
    to.paths.set(key, known)
  }
  return known
}
