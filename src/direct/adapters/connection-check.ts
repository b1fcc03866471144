/**
 * Asks the Bedrock control plane of a target for its foundation models (`ListFoundationModels`), signed. It costs nothing,
 * and tells whether the region is reachable and the credentials are good. It says nothing of capacity, nor of access to a
 * model: only an operation does.
 */
import { Client } from 'undici'
import type { Fault } from '../../operation/fault.ts'
import type { Clock } from '../../runtime/clock.ts'
import { isObject } from '../converse-event.ts'
import { classifyConnectionError, classifyUpstreamError, limitFault, noCredentials, protocolFault, readErrorBody } from '../fault-classifier.ts'
import { directBounds } from '../settings.ts'
import type { Endpoint } from '../settings.ts'
import { connectionErrorCode } from './connections.ts'
import { LimitTimer } from './limit-timer.ts'
import { retryAfterMs } from './retry-after.ts'

export type ConnectionCheck =
  | { readonly ok: true; readonly durationMs: number; readonly modelIds: readonly string[] }
  | { readonly ok: false; readonly durationMs: number; readonly fault: Fault }

export interface ControlPlaneRequest {
  readonly clock: Clock
  readonly endpoint: Endpoint
  readonly path: string
  /** Monotonic. */
  readonly deadlineMs: number
  readonly connectMs: number
  readonly maxBytes: number
  readonly authorize: () => Promise<string[]>
}

export function checkControlPlane(request: ControlPlaneRequest): Promise<ConnectionCheck> {
  const { clock } = request
  const startMs = clock.monotonicMs()
  return new Promise((resolve) => {
    // A connection of its own: what is checked is the whole way, and the check must not take one from the operations.
    const client = new Client(request.endpoint.origin, { headersTimeout: 0, bodyTimeout: 0, connectTimeout: 0, allowH2: false, maxHeaderSize: directBounds.headerBytes })
    let settled = false
    const settle = (outcome: { ok: true; modelIds: readonly string[] } | { ok: false; fault: Fault }): void => {
      if (settled) return
      settled = true
      limits.stop()
      client.destroy(null, () => {})
      resolve({ ...outcome, durationMs: clock.monotonicMs() - startMs })
    }
    const fail = (fault: Fault): void => settle({ ok: false, fault })
    const limits = new LimitTimer(clock, (limit) => fail(limitFault(limit)))
    limits.deadline(request.deadlineMs)

    let sent = false
    let status = 0
    let errorType: string | undefined
    let waitMs: number | undefined
    let receivedBytes = 0
    const pieces: Buffer[] = []
    const send = (headers: string[]): void => {
      if (settled) return
      limits.enter('connect', clock.monotonicMs() + request.connectMs)
      client.dispatch(
        { method: 'GET', path: request.path, headers },
        {
          onRequestStart() {
            sent = true
            limits.enter('first_byte', request.deadlineMs)
          },
          onResponseStart(_controller, code, answered) {
            status = code
            errorType = headerOf(answered['x-amzn-errortype'])
            waitMs = retryAfterMs(headerOf(answered['retry-after']), headerOf(answered['x-amz-retry-after']), clock.nowMs())
          },
          onResponseData(_controller, chunk) {
            receivedBytes += chunk.length
            if (receivedBytes > request.maxBytes) fail(protocolFault('too_large', status))
            else pieces.push(chunk)
          },
          onResponseEnd() {
            const body = Buffer.concat(pieces).toString('utf8')
            if (status !== 200) {
              fail(classifyUpstreamError({ status, ...readErrorBody(errorType, body), retryAfterMs: waitMs }))
              return
            }
            const modelIds = readModelIds(body)
            if (modelIds === null) fail(protocolFault('not_json', status))
            else settle({ ok: true, modelIds })
          },
          onResponseError(_controller, error: Error & { code?: string }) {
            fail(classifyConnectionError(connectionErrorCode(error), sent))
          },
        },
      )
    }
    request.authorize().then(send, () => fail(noCredentials))
  })
}

function readModelIds(body: string): readonly string[] | null {
  try {
    const parsed: unknown = JSON.parse(body)
    if (!isObject(parsed) || !Array.isArray(parsed['modelSummaries'])) return null
    return (parsed['modelSummaries'] as readonly unknown[]).flatMap((summary) => (isObject(summary) && typeof summary['modelId'] === 'string' ? [summary['modelId']] : []))
  } catch {
    // No JSON: not the control plane.
    return null
  }
}

function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
