/**
 * The known name that was probably meant: the one with the fewest edits, when they are few for its length. Distance is the
 * restricted Damerau-Levenshtein distance (insert, delete, replace, swap of neighbours), ignoring case.
 */

/** Names are compared up to this length: longer ones are no slips of the finger, and the cost grows with its square. */
const longestCompared = 64
/** One edit for every three characters, and one for short names. */
const charactersPerEdit = 3

export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > longestCompared) return undefined
  let nearest: string | undefined
  let fewest = Math.max(1, Math.floor(name.length / charactersPerEdit)) + 1
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) {
      fewest = edits
      nearest = candidate
    }
  }
  return nearest
}

function editDistance(left: string, right: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = left[row - 1] === right[column - 1] ? 0 : 1
      let edits = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + replaced)
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (swapped) edits = Math.min(edits, at(beforeLast, column - 2) + 1)
      current.push(edits)
    }
    beforeLast = last
    last = current
  }
  return at(last, right.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? 0
}
