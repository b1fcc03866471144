/**
 * A map whose entries come and go thousands of times a second. Why not a Map of the values themselves: see `dense-set.ts`. The
 * Map inside holds numbers only, so that what a replaced table keeps is a few ids.
 */
export class SlotMap<Value extends object> {
  readonly #slots = new Map<string, number>()
  readonly #values: (Value | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#slots.size
  }

  get(key: string): Value | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#values[slot]
  }

  set(key: string, value: Value): void {
    const slot = this.#slots.get(key) ?? this.#free.pop() ?? this.#values.length
    this.#slots.set(key, slot)
    this.#values[slot] = value
  }

  delete(key: string): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#slots.delete(key)
    this.#values[slot] = undefined
    this.#free.push(slot)
  }

  /** A copy in no set order: entries may leave while it is gone through. */
  values(): Value[] {
    return this.#values.filter((value) => value !== undefined)
  }
}
