/**
 * Amazon SNS, through the AWS SDK, which is loaded with the first notification: it signs, speaks the query protocol and
 * finds credentials. Its own retries are off, because the deliveries repeat with a budget of their own.
 *
 * The subject is what a mail shows (ASCII, at most 100 characters); the message is plain text for people. What machines
 * filter by are message attributes. A topic whose name ends in `.fifo` keeps the order of one incident and recognises
 * repetitions by the notification's id. An answer is read up to a bound only.
 *
 * The self-test reads the topic's attributes: a signed request that shows endpoint, credentials and topic, and sends nothing.
 */
import { pipeline, Transform } from 'node:stream'
import type { PublishCommandInput, SNSClient, SNSClientConfig } from '@aws-sdk/client-sns'
import type { AlertPriority } from '../../operation/alert-facts.ts'
import { alertLimits } from '../limits.ts'
import { notificationLines, notificationSeverity, type Notification } from '../notification.ts'
import type { DeliveryOutcome, Notifier } from '../notifier.ts'
import { reachable, unreachable } from './reach.ts'

/** What the SDK takes for credentials: an identity, or a function that obtains one. */
export type SnsCredentials = NonNullable<SNSClientConfig['credentials']>

export interface SnsSettings {
  readonly name: string
  readonly leastPriority: AlertPriority
  readonly topicArn: string
  /** null: that of the topic's region. */
  readonly endpoint: string | null
  /** null: the SDK's default provider chain. */
  readonly credentials: SnsCredentials | null
}

const longestSubject = 100
/** Bytes. SNS takes 256 KiB, attributes included. */
const longestMessage = 200_000

export function createSnsNotifier(settings: SnsSettings): Notifier {
  let client: Promise<SNSClient> | null = null
  return {
    name: settings.name,
    leastPriority: settings.leastPriority,
    async deliver(notification, signal) {
      try {
        client ??= openClient(settings)
        const [{ PublishCommand }, open] = await Promise.all([import('@aws-sdk/client-sns'), client])
        await open.send(new PublishCommand(snsMessage(settings.topicArn, notification)), { abortSignal: signal })
        return { kind: 'delivered' }
      } catch (error) {
        return failureOf(error, signal.aborted)
      }
    },
    async selfTest(signal) {
      try {
        client ??= openClient(settings)
        const [{ GetTopicAttributesCommand }, open] = await Promise.all([import('@aws-sdk/client-sns'), client])
        await open.send(new GetTopicAttributesCommand({ TopicArn: settings.topicArn }), { abortSignal: signal })
        return reachable
      } catch (error) {
        // Who may publish need not be allowed to read: SNS answered, and knew who asked.
        return mayNotRead(error) ? reachable : unreachable(reasonOf(error, signal.aborted))
      }
    },
    async close() {
      ;(await client)?.destroy()
    },
  }
}

export function snsMessage(topicArn: string, notification: Notification): PublishCommandInput {
  const attribute = (value: string) => ({ DataType: 'String', StringValue: value })
  const subject = `${notification.event}: ${notification.title}`.replace(/[^\x20-\x7e]+/g, ' ').slice(0, longestSubject).trim()
  return {
    TopicArn: topicArn,
    Subject: subject,
    Message: [notification.title, '', ...notificationLines(notification), '', `${notification.deployment} ${notification.dedupKey} ${notification.id}`].join('\n').slice(0, longestMessage / 4),
    MessageAttributes: {
      event: attribute(notification.event),
      priority: attribute(notification.priority),
      severity: attribute(notificationSeverity(notification)),
      deployment: attribute(notification.deployment),
      dedupKey: attribute(notification.dedupKey),
    },
    ...(topicArn.endsWith('.fifo') ? { MessageGroupId: notification.dedupKey.replace(/[^\x21-\x7e]+/g, '-').slice(0, 128), MessageDeduplicationId: notification.id } : {}),
  }
}

async function openClient(settings: SnsSettings): Promise<SNSClient> {
  const { SNSClient } = await import('@aws-sdk/client-sns')
  const client = new SNSClient({
    region: settings.topicArn.split(':')[3] ?? '',
    maxAttempts: 1,
    ...(settings.endpoint === null ? {} : { endpoint: settings.endpoint }),
    ...(settings.credentials === null ? {} : { credentials: settings.credentials }),
  })
  // Nearest to the connection, before the SDK collects the body.
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const response = result.response as { body?: unknown }
      if (isReadable(response.body)) {
        // Ends the connection as well when the answer is too long; the reader of the bounded end learns why.
        response.body = pipeline(response.body, atMost(alertLimits.answerBytes), () => {})
      }
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'boundedAnswer' },
  )
  return client
}

function isReadable(body: unknown): body is NodeJS.ReadableStream {
  return typeof body === 'object' && body !== null && 'pipe' in body && typeof body.pipe === 'function'
}

function atMost(bytes: number): Transform {
  let seen = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      if (seen > bytes) done(new Error('the answer is too long'))
      else done(null, chunk)
    },
  })
}

/** Names of the SDK's errors stay out of decisions on deliveries: its status and what it says of itself are enough. */
function failureOf(error: unknown, isAborted: boolean): DeliveryOutcome {
  const status = httpStatusOf(error)
  const reason = reasonOf(error, isAborted)
  if (status === null) return { kind: 'failed', retryable: true, retryAfterMs: null, reason }
  const isThrottled = status === 429 || (typeof error === 'object' && error !== null && '$retryable' in error && error.$retryable !== undefined)
  return { kind: 'failed', retryable: isThrottled || status >= 500, retryAfterMs: null, reason }
}

function reasonOf(error: unknown, isAborted: boolean): string {
  const status = httpStatusOf(error)
  if (status !== null) return `SNS answered HTTP ${status}`
  return isAborted ? 'no answer in time' : 'no answer from SNS, or no credentials'
}

/** Of all that is 403 only this says that signature and credentials are good (Amazon SNS API reference, "GetTopicAttributes"). */
function mayNotRead(error: unknown): boolean {
  return error instanceof Error && /^AuthorizationError(Exception)?$/.test(error.name)
}

function httpStatusOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return null
  const metadata = error.$metadata
  return typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : null
}
