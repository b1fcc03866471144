/**
 * A set of objects that come and go thousands of times a second, such as the operations that run.
 *
 * A JavaScript Set or Map that lives on additions and deletions replaces its table every few dozen of them, and V8 links each
 * table to the one after it. Once one of them is in the old generation it keeps all later ones, and whatever each of them held
 * when it was replaced, until the next full collection: nearly every operation, with all that belongs to it, would be copied
 * twice before it is freed (`docs/decisions/015-garbage.md` has the figures). Here each member knows its place in one list.
 */
export interface Placed {
  /** Its place in the set; -1 outside. Written by the set alone, so that an object can be in one such set. */
  place: number
}

export class DenseSet<Member extends Placed> {
  readonly #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  add(member: Member): void {
    if (member.place >= 0) return
    member.place = this.#members.length
    this.#members.push(member)
  }

  delete(member: Member): void {
    const { place } = member
    if (place < 0 || this.#members[place] !== member) return
    member.place = -1
    const last = this.#members.pop()
    if (last === undefined || last === member) return
    last.place = place
    this.#members[place] = last
  }

  /** A copy in no set order: members may leave while it is gone through. */
  members(): Member[] {
    return [...this.#members]
  }
}
