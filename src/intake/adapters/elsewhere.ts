/**
 * Operations that another instance of the same store carries out: asks around who has one, follows its events as they come,
 * and tells those of the operations here to whoever asks. Only what the store does not know is asked for, so that an
 * operation itself never waits for anything here.
 *
 * The relay may lose words and instances may die: a follower that misses a batch asks again from where it is, one that hears
 * nothing for a while is told the rest by the record, and a listener that is not heard of any more is forgotten.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import type { Relay } from '../../store/relay.ts'
import { readElsewhereWord, toMessage, type ElsewhereWord } from '../elsewhere-word.ts'
import type { Follower } from '../event-log.ts'
import { intakeLimits } from '../limits.ts'
import type { LiveOperation } from '../live-operation.ts'
import type { OperationRecord } from '../operation-record.ts'
import { RemoteFollower } from '../remote-follower.ts'

export interface ElsewhereParts {
  readonly relay: Relay
  readonly clock: Clock
  /** The operation with this id that runs in this process. */
  readonly live: (id: string) => LiveOperation | undefined
  /** Characters of events that are kept for a client that reads slowly. */
  readonly bufferCharacters: number
}

export interface Located {
  readonly instance: string
  readonly record: OperationRecord
}

export interface Elsewhere {
  /** Resolves with nothing when nobody says in time that it is there. */
  locate(id: string): Promise<Located | undefined>
  /** @param rest who tells what that instance cannot tell any more. */
  follow(located: Located, afterId: number, wake: () => void, rest: (afterId: number, wake: () => void) => Follower): Follower
  hear(message: JsonValue, from: string): void
}

/** A follower in another instance. */
interface Forwarding {
  readonly to: string
  readonly follower: Follower
  number: number
  heardAtMs: number
  /** Kept until the listener leaves: should it get lost, it is said again. */
  end?: ElsewhereWord
}

/** A follower of ours that another instance tells. */
interface Listening {
  readonly follower: RemoteFollower
  heardAtMs: number
}

/** As `runtime/ids.ts` makes them: anything else was never an operation, and nobody is asked. */
const operationId = /^op_[0-9a-z]{26}$/

export function createElsewhere({ relay, clock, live, bufferCharacters }: ElsewhereParts): Elsewhere {
  const asking = new Map<string, (located: Located) => void>()
  const listenings = new Map<string, Listening>()
  const forwardings = new Map<string, Forwarding>()
  let names = 0

  const nextName = (): string => `${relay.instanceId}.${(names += 1)}`
  const say = (to: string | null, word: ElsewhereWord): void => relay.send(to, toMessage(word))

  const forward = (id: string, name: string, afterId: number, to: string): void => {
    const entry = live(id)
    if (entry === undefined) {
      say(to, { about: 'elsewhere', word: 'gone', follower: name })
      return
    }
    let scheduled = false
    const wake = (): void => {
      if (scheduled) return
      scheduled = true
      // What comes in one turn goes out as one batch.
      queueMicrotask(() => {
        scheduled = false
        pump(name)
      })
    }
    forwardings.set(name, { to, follower: entry.follow(afterId, wake), number: 0, heardAtMs: clock.monotonicMs() })
    pump(name)
    watchListener(name)
  }

  const pump = (name: string): void => {
    const forwarding = forwardings.get(name)
    if (forwarding === undefined || forwarding.end !== undefined) return
    const { to, follower } = forwarding
    for (;;) {
      const events = follower.read(intakeLimits.batchCharacters)
      if (events.length === 0 && !follower.done) return
      forwarding.number += 1
      const { result, hasContent } = follower
      const endId = events.at(-1)?.id ?? 0
      const end = follower.done && result !== undefined ? { end: { result, endId } } : {}
      const batch: ElsewhereWord = { about: 'elsewhere', word: 'events', follower: name, number: forwarding.number, events, hasContent, ...end }
      say(to, batch)
      if (!follower.done) continue
      forwarding.end = batch
      return
    }
  }

  const stopForwarding = (name: string): void => {
    forwardings.get(name)?.follower.close()
    forwardings.delete(name)
  }

  const watchListener = (name: string): void => {
    const forwarding = forwardings.get(name)
    if (forwarding === undefined) return
    const giveUpMs = forwarding.heardAtMs + intakeLimits.listenerLostMs
    if (clock.monotonicMs() >= giveUpMs) stopForwarding(name)
    else clock.schedule(giveUpMs, () => watchListener(name))
  }

  const onFollow = ({ id, follower: name, afterId }: Extract<ElsewhereWord, { word: 'follow' }>, from: string): void => {
    const known = forwardings.get(name)
    if (known === undefined) {
      forward(id, name, afterId, from)
      return
    }
    known.heardAtMs = clock.monotonicMs()
    if (known.end !== undefined) {
      say(from, known.end)
      return
    }
    // The number says what must have come by now.
    say(from, { about: 'elsewhere', word: 'events', follower: name, number: known.number, events: [], hasContent: known.follower.hasContent })
  }

  const follow: Elsewhere['follow'] = ({ instance, record }, afterId, wake, rest) => {
    const { id } = record.result
    let name = nextName()
    let cancelSign: CancelSchedule = () => undefined
    const begin = (fromId: number): void => {
      listenings.set(name, listening)
      say(instance, { about: 'elsewhere', word: 'follow', id, follower: name, afterId: fromId })
    }
    const leave = (): void => {
      listenings.delete(name)
      say(instance, { about: 'elsewhere', word: 'leave', follower: name })
    }
    const sign = (): void => {
      if (!follower.isListening) {
        leave()
        return
      }
      if (clock.monotonicMs() - listening.heardAtMs >= intakeLimits.tellerLostMs) {
        leave()
        follower.lose()
        return
      }
      begin(follower.cameId)
      cancelSign = clock.schedule(clock.monotonicMs() + intakeLimits.listeningSignMs, sign)
    }
    const follower = new RemoteFollower({
      characters: bufferCharacters,
      afterId,
      wake,
      ask(fromId) {
        leave()
        name = nextName()
        begin(fromId)
      },
      rest,
      onClose() {
        cancelSign()
        leave()
      },
    })
    const listening: Listening = { follower, heardAtMs: clock.monotonicMs() }
    // Not in this turn: the caller does not yet hold what would be woken.
    queueMicrotask(sign)
    return follower
  }

  return {
    locate(id) {
      if (!relay.shared || !operationId.test(id)) return Promise.resolve(undefined)
      const ask = nextName()
      return new Promise((resolve) => {
        const cancel = clock.schedule(clock.monotonicMs() + intakeLimits.locateMs, () => {
          asking.delete(ask)
          resolve(undefined)
        })
        asking.set(ask, (located) => {
          cancel()
          asking.delete(ask)
          resolve(located)
        })
        say(null, { about: 'elsewhere', word: 'who', id, ask })
      })
    },
    follow,
    hear(message, from) {
      const said = readElsewhereWord(message)
      if (said === undefined) return
      switch (said.word) {
        case 'who': {
          const entry = live(said.id)
          if (entry !== undefined) say(from, { about: 'elsewhere', word: 'here', ask: said.ask, record: entry.record() })
          return
        }
        case 'here':
          asking.get(said.ask)?.({ instance: from, record: said.record })
          return
        case 'follow':
          onFollow(said, from)
          return
        case 'leave':
          stopForwarding(said.follower)
          return
        case 'events': {
          const listening = listenings.get(said.follower)
          if (listening === undefined) return
          listening.heardAtMs = clock.monotonicMs()
          listening.follower.hear(said)
          return
        }
        case 'gone':
          listenings.get(said.follower)?.follower.lose()
      }
    },
  }
}
