/**
 * One HTTP/1.1 connection of the load generator: writes a ready-made request, follows the response, counts the content
 * events in it and notes when the first of them came. At most one exchange at a time.
 */
import { connect, type Socket } from 'node:net'
import { contentMarker } from '../stream-plan.ts'
import { ResponseReader } from '../wire/response-reader.ts'

const marker = Buffer.from(contentMarker)

export interface ExchangeEnd {
  readonly failure: string | null
  readonly events: number
  readonly firstContentAtMs: number | null
  readonly endedAtMs: number
}

interface Exchange {
  readonly expectedEvents: number
  readonly onEnd: (end: ExchangeEnd) => void
  events: number
  firstContentAtMs: number | null
}

export class Connection {
  readonly #socket: Socket
  readonly #reader = new ResponseReader()
  readonly #onEvents: (events: number) => void
  #exchange: Exchange | null = null
  #usable = true

  /** `onEvents` hears of content events as they come, not only when the exchange ends. */
  constructor(port: number, onEvents: (events: number) => void) {
    this.#onEvents = onEvents
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received(chunk)
    })
    this.#socket.on('error', (error) => {
      this.#lost(error.message)
    })
    this.#socket.on('close', () => {
      this.#lost(null)
    })
  }

  get usable(): boolean {
    return this.#usable
  }

  exchange(request: string, expectedEvents: number, onEnd: (end: ExchangeEnd) => void): void {
    this.#exchange = { expectedEvents, onEnd, events: 0, firstContentAtMs: null }
    this.#socket.write(request, 'latin1')
  }

  destroy(): void {
    this.#usable = false
    this.#socket.destroy()
  }

  #received(chunk: Buffer): void {
    const exchange = this.#exchange
    if (exchange === null) {
      this.destroy() // Bytes that no request asked for.
      return
    }
    this.#count(exchange, chunk)
    let ended: boolean
    try {
      ended = this.#reader.read(chunk)
    } catch (error) {
      this.destroy()
      this.#end(error instanceof Error ? error.message : 'unreadable response')
      return
    }
    if (!ended) return
    if (this.#reader.closing) this.destroy()
    this.#end(null)
  }

  #count(exchange: Exchange, chunk: Buffer): void {
    const before = exchange.events
    for (let at = chunk.indexOf(marker); at >= 0 && exchange.events < exchange.expectedEvents; at = chunk.indexOf(marker, at + marker.length)) {
      exchange.events += 1
    }
    if (exchange.events === before) return
    exchange.firstContentAtMs ??= performance.now()
    this.#onEvents(exchange.events - before)
  }

  #lost(reason: string | null): void {
    this.#usable = false
    this.#end(this.#reader.untilClose && reason === null ? null : `connection lost: ${reason ?? 'closed'}`)
  }

  #end(failure: string | null): void {
    const exchange = this.#exchange
    if (exchange === null) return
    this.#exchange = null
    const { status } = this.#reader
    let verdict = failure
    if (verdict === null && status !== 200) verdict = `status ${status}`
    if (verdict === null && exchange.events < exchange.expectedEvents) verdict = `${exchange.events} of ${exchange.expectedEvents} events`
    exchange.onEnd({ failure: verdict, events: exchange.events, firstContentAtMs: exchange.firstContentAtMs, endedAtMs: performance.now() })
  }
}
