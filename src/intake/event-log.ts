/**
 * The events of one operation while it runs: what a follower that comes late, resumes after a cut, or reads slowly is told
 * from. Numbers begin at 1 and have no gap.
 *
 * Memory is what it is built around, because a thousand streams keep one each. Text is most of it: runs of small pieces are
 * joined into one flat string with the offset of each piece, so that a follower can still resume exactly between two of
 * them. Beyond the limit in events or characters the oldest give way; a follower that needs those is *behind*: it is told
 * nothing until the end, and then the whole answer anew from the result. When an attempt restarts the answer, the pieces
 * before are void and go at once.
 *
 * Followers pull: the log wakes them in the turn in which something was added, and they read when their client takes more.
 */
import type { RoutingDecision } from '../operation/decision.ts'
import type { OperationResult } from '../operation/result.ts'
import type { AttemptNotice } from '../operation/runner.ts'
import { endOf, pieceCount, piecesOf, restartNotice, type OperationEvent, type Piece } from './operation-event.ts'

export interface EventLogLimits {
  /** Events that can be resumed from. */
  readonly events: number
  /** Characters of text and fragments that are kept. */
  readonly characters: number
}

/** Pieces that are joined into one string: few enough to join cheaply, enough that the joined strings are few. */
const piecesPerChunk = 64

interface Chunk {
  readonly type: 'chunk'
  readonly firstId: number
  readonly lastId: number
  readonly text: string
  /** Where each piece ends in `text`. */
  readonly ends: readonly number[]
}

type Entry = Chunk | (OperationEvent & { readonly id: number })

export class EventLog {
  readonly #limits: EventLogLimits
  #entries: Entry[] = []
  #lastId = 0
  #keptEvents = 0
  #characters = 0
  /** Text pieces at the end of `#entries` that are not joined yet. */
  #loosePieces = 0
  /** The last number that gave way; whoever has not read up to it is behind. */
  #goneId = 0
  #hasContent = false
  #result: OperationResult | undefined
  #followers: readonly EventFollower[] = []

  constructor(limits: EventLogLimits) {
    this.#limits = limits
  }

  get lastId(): number {
    return this.#lastId
  }

  /** Whether a piece of the answer was told. */
  get hasContent(): boolean {
    return this.#hasContent
  }

  get result(): OperationResult | undefined {
    return this.#result
  }

  decided(decision: RoutingDecision): void {
    this.#add({ type: 'decision', id: this.#nextId(), decision }, 0)
    this.#wake()
  }

  attempted(notice: AttemptNotice): void {
    if (notice.restart) this.#forgetPieces()
    this.#loosePieces = 0
    this.#add({ type: 'attempt', id: this.#nextId(), notice }, 0)
    this.#wake()
  }

  told(piece: Piece): void {
    this.#tell(piece)
    this.#wake()
  }

  /** @param wholeAnswer whether the answer was not told in pieces and is told now. */
  ended(result: OperationResult, wholeAnswer: boolean): void {
    if (wholeAnswer) for (const piece of piecesOf(result)) this.#tell(piece)
    const id = this.#nextId()
    this.#result = result
    this.#entries.push({ ...endOf(result, id), id })
    this.#wake()
  }

  /** The number that the end will have. */
  endId(result: OperationResult, wholeAnswer: boolean): number {
    return this.#lastId + (wholeAnswer ? pieceCount(result) : 0) + 1
  }

  /** @param afterId the last number that the follower has seen; 0 for the whole. */
  follow(afterId: number, wake: () => void): Follower {
    const follower = new EventFollower(this, afterId, wake)
    this.#followers = [...this.#followers, follower]
    return follower
  }

  forget(follower: Follower): void {
    this.#followers = this.#followers.filter((other) => other !== follower)
  }

  isBehind(afterId: number): boolean {
    return afterId < this.#goneId
  }

  /** What comes after a number, in at most about so many characters; the last event says up to where. */
  after(afterId: number, characters: number): readonly OperationEvent[] {
    const entries = this.#entries
    const events: OperationEvent[] = []
    let room = characters
    for (let index = this.#firstAfter(afterId); index < entries.length && room > 0; index += 1) {
      const entry = entries[index]
      if (entry === undefined) break
      if (entry.type === 'chunk') {
        const seen = afterId - entry.firstId
        const text = seen < 0 ? entry.text : entry.text.slice(entry.ends[seen] ?? 0)
        events.push({ type: 'text', id: entry.lastId, text })
        room -= text.length
      } else {
        events.push(entry)
        room -= entry.type === 'text' ? entry.text.length : 1
      }
    }
    return events
  }

  /** For a follower that is behind when all is over: the answer from its start. */
  wholeAnswer(): readonly OperationEvent[] {
    const result = this.#result
    if (result === undefined) return []
    const pieces = piecesOf(result).map((piece): OperationEvent => ('text' in piece ? { type: 'text', id: null, text: piece.text } : { type: 'fragment', id: null, fragment: piece.fragment }))
    return [{ type: 'attempt', id: null, notice: restartNotice(result) }, ...pieces, endOf(result, this.#lastId)]
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  #tell(piece: Piece): void {
    this.#hasContent = true
    if ('text' in piece) {
      this.#add({ type: 'text', id: this.#nextId(), text: piece.text }, piece.text.length)
      this.#loosePieces += 1
      if (this.#loosePieces >= piecesPerChunk) this.#join()
    } else {
      this.#loosePieces = 0
      this.#add({ type: 'fragment', id: this.#nextId(), fragment: piece.fragment }, JSON.stringify(piece.fragment).length)
    }
  }

  #add(entry: Entry, characters: number): void {
    this.#entries.push(entry)
    this.#keptEvents += 1
    this.#characters += characters
    while (this.#keptEvents > this.#limits.events || this.#characters > this.#limits.characters) this.#dropOldest()
  }

  #join(): void {
    const pieces = this.#entries.splice(this.#entries.length - this.#loosePieces)
    const ends: number[] = []
    const texts: string[] = []
    let length = 0
    for (const piece of pieces) {
      const text = piece.type === 'text' ? piece.text : ''
      texts.push(text)
      length += text.length
      ends.push(length)
    }
    const firstId = this.#lastId - pieces.length + 1
    // `join` gives one flat string; adding them up would keep a tree of all the pieces alive.
    this.#entries.push({ type: 'chunk', firstId, lastId: this.#lastId, text: texts.join(''), ends })
    this.#loosePieces = 0
  }

  #dropOldest(): void {
    const entry = this.#entries.shift()
    if (entry === undefined) {
      this.#keptEvents = 0
      this.#characters = 0
      return
    }
    this.#loosePieces = Math.min(this.#loosePieces, this.#entries.length)
    this.#goneId = lastIdOf(entry)
    this.#forgetCounts(entry)
  }

  #forgetPieces(): void {
    this.#entries = this.#entries.filter((entry) => {
      const void_ = entry.type === 'chunk' || entry.type === 'text' || entry.type === 'fragment'
      if (void_) this.#forgetCounts(entry)
      return !void_
    })
    // What gave way before was void as well: nobody misses it now.
    this.#goneId = 0
  }

  #forgetCounts(entry: Entry): void {
    this.#keptEvents -= entry.type === 'chunk' ? entry.ends.length : 1
    if (entry.type === 'chunk' || entry.type === 'text') this.#characters -= entry.text.length
    if (entry.type === 'fragment') this.#characters -= JSON.stringify(entry.fragment).length
  }

  #firstAfter(afterId: number): number {
    const entries = this.#entries
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      const entry = entries[middle]
      if (entry !== undefined && lastIdOf(entry) <= afterId) low = middle + 1
      else high = middle
    }
    return low
  }

  #wake(): void {
    for (const follower of this.#followers) follower.wake()
  }
}

/** One who is told the events of an operation, from where it stands. */
export interface Follower {
  /** Whether the end was read. */
  readonly done: boolean
  /** Whether what it needs next is gone: it is told the whole answer at the end. */
  readonly behind: boolean
  /** Whether a piece of the answer was told, to anybody. */
  readonly hasContent: boolean
  /** Once the operation has ended. */
  readonly result: OperationResult | undefined
  /** What there is to tell now, in at most about so many characters; nothing when it has caught up. */
  read(characters: number): readonly OperationEvent[]
  close(): void
}

class EventFollower implements Follower {
  readonly #log: EventLog
  readonly wake: () => void
  #afterId: number
  #done = false

  constructor(log: EventLog, afterId: number, wake: () => void) {
    this.#log = log
    this.#afterId = afterId
    this.wake = wake
  }

  get done(): boolean {
    return this.#done
  }

  get behind(): boolean {
    return this.#log.isBehind(this.#afterId)
  }

  get hasContent(): boolean {
    return this.#log.hasContent
  }

  get result(): OperationResult | undefined {
    return this.#log.result
  }

  read(characters: number): readonly OperationEvent[] {
    if (this.#done) return []
    const log = this.#log
    if (this.behind) {
      if (log.result === undefined) return []
      this.#finish()
      return log.wholeAnswer()
    }
    const events = log.after(this.#afterId, characters)
    const last = events.at(-1)
    if (last?.id !== undefined && last.id !== null) this.#afterId = last.id
    if (log.result !== undefined && this.#afterId >= log.lastId) this.#finish()
    return events
  }

  close(): void {
    this.#finish()
  }

  #finish(): void {
    this.#done = true
    this.#log.forget(this)
  }
}

function lastIdOf(entry: Entry): number {
  return entry.type === 'chunk' ? entry.lastId : entry.id
}
