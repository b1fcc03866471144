/**
 * The chain: how a record follows the one before it, and how a reader finds what was done to it since. Records are linked by
 * SHA-256 and each is signed; the head, the newest record's number and hash, is signed as well, kept beside the records and
 * written into the log from time to time. What each of these finds:
 *
 *   an altered record        its hash does not fit its content; with a new hash, its signature does not fit
 *   a removed record         a number is missing
 *   an inserted one          its number is taken, or its link or its signature does not fit
 *   records in another order numbers and links do not fit their places
 *   a cut-off end            the head names a record that is not there; an old head put back as well is found by
 *                            the head that this process saw last, or that a line of the log holds (`anchors`)
 *   a cut-off beginning      the first record does not follow the signed checkpoint that retention leaves
 *
 * Pure: hash and signature are functions that are handed in. Source: runbook, "audit trail"; the construction is that of
 * Haber and Stornetta (1991) and of the signed tree heads of RFC 6962, without the tree, which one reader does not need.
 */
import { genesis, hashedText, type AuditDraft, type AuditRecord } from './audit-record.ts'
import { auditLimits } from './limits.ts'

export interface Seal {
  /** SHA-256, hexadecimal. */
  hash(text: string): string
  /** HMAC-SHA-256 with the trail's key, hexadecimal. */
  sign(text: string): string
}

/** Where the chain ends, or where retention cut its beginning: the record of this number had this hash. */
export interface ChainPoint {
  readonly sequence: number
  readonly hash: string
}

export interface SignedPoint extends ChainPoint {
  readonly atMs: number
  readonly signature: string
}

export const chainStart: ChainPoint = Object.freeze({ sequence: 0, hash: genesis })

export function appendTo(end: ChainPoint, draft: AuditDraft, writtenAtMs: number, seal: Seal): AuditRecord {
  const late = writtenAtMs - draft.atMs > auditLimits.lateAfterMs
  const content = { ...draft, ...(late ? { lateAtMs: writtenAtMs } : {}), sequence: end.sequence + 1, previous: end.hash }
  const hash = seal.hash(hashedText(content))
  return { ...content, hash, signature: seal.sign(hash) }
}

export function signPoint(kind: 'head' | 'checkpoint', point: ChainPoint, atMs: number, seal: Seal): SignedPoint {
  const { sequence, hash } = point
  return { sequence, hash, atMs, signature: seal.sign(pointText(kind, { sequence, hash, atMs })) }
}

function pointText(kind: 'head' | 'checkpoint', point: ChainPoint & { readonly atMs: number }): string {
  return `${kind} ${point.sequence} ${point.hash} ${point.atMs}`
}

export const findingKinds = ['altered', 'unsigned', 'removed', 'reordered', 'unreadable', 'truncated', 'head_forged', 'head_missing', 'checkpoint_forged', 'anchor_differs'] as const

export interface ChainFinding {
  readonly kind: (typeof findingKinds)[number]
  /** The number of the record at which it shows. */
  readonly sequence: number
  readonly message: string
}

/** Reads records one after the other; what it says in the end holds for all that it was given. */
export interface ChainReader {
  /** @param place the number under which the store keeps it; `null`: what is there is no record. */
  read(place: number, record: AuditRecord | null): void
  finish(): { readonly records: number; readonly end: ChainPoint; readonly findings: readonly ChainFinding[] }
}

export interface ChainMarks {
  /** Read before the records, so that a record added meanwhile does no harm. */
  readonly head: SignedPoint | null
  readonly checkpoint: SignedPoint | null
  /** What is known of the chain from elsewhere: this process's memory, a line of the log. */
  readonly anchors: readonly ChainPoint[]
}

export function createChainReader(marks: ChainMarks, seal: Seal): ChainReader {
  const findings: ChainFinding[] = []
  const report = (kind: ChainFinding['kind'], sequence: number, message: string): void => {
    if (findings.length < auditLimits.findings) findings.push({ kind, sequence, message })
  }
  const { checkpoint, head, anchors } = marks
  if (checkpoint !== null && checkpoint.signature !== seal.sign(pointText('checkpoint', checkpoint))) {
    report('checkpoint_forged', checkpoint.sequence, 'The checkpoint of retention is not signed with the key of this trail.')
  }
  const start: ChainPoint = checkpoint ?? chainStart
  let end: ChainPoint = start
  let records = 0
  const seen = new Map<number, string>()
  const wanted = new Set([...anchors.map((anchor) => anchor.sequence), ...(head === null ? [] : [head.sequence])])
  if (wanted.has(start.sequence)) seen.set(start.sequence, start.hash)

  const checkAnchor = (anchor: ChainPoint, from: string): void => {
    if (anchor.sequence < start.sequence) return
    const hash = seen.get(anchor.sequence)
    if (hash === undefined) {
      if (anchor.sequence > end.sequence) report('truncated', end.sequence + 1, `${from} names record ${anchor.sequence}; the trail ends with ${end.sequence}.`)
    } else if (hash !== anchor.hash) {
      report('anchor_differs', anchor.sequence, `${from} has another hash for record ${anchor.sequence}.`)
    }
  }

  return {
    read(place, record) {
      // What retention has given up and not removed yet is no part of the chain any more.
      if (place <= start.sequence) return
      records += 1
      const expected = end.sequence + 1
      if (place > expected) report('removed', expected, expected === place - 1 ? `Record ${expected} is missing.` : `Records ${expected} to ${place - 1} are missing.`)
      if (record === null) {
        report('unreadable', place, 'What is stored there is no audit record.')
        end = { sequence: place, hash: '' }
        return
      }
      const hash = seal.hash(hashedText(record))
      if (record.sequence !== place) report('reordered', place, `The record stored there says that it is number ${record.sequence}.`)
      if (hash !== record.hash) report('altered', place, 'The content does not fit the hash of the record.')
      else if (seal.sign(record.hash) !== record.signature) report('unsigned', place, 'The record is not signed with the key of this trail.')
      // After a gap or an unreadable record the link cannot be judged; the gap itself is reported.
      if (place === expected && end.hash !== '' && record.previous !== end.hash) report('reordered', place, 'The record does not follow the one before it.')
      end = { sequence: place, hash: record.hash }
      if (wanted.has(place)) seen.set(place, record.hash)
    },
    finish() {
      if (head === null) {
        if (records > 0) report('head_missing', end.sequence, 'The signed head is missing.')
      } else if (head.signature !== seal.sign(pointText('head', head))) {
        report('head_forged', head.sequence, 'The head is not signed with the key of this trail.')
      } else {
        checkAnchor(head, 'The signed head')
      }
      for (const anchor of anchors) checkAnchor(anchor, 'A head that was seen earlier')
      return { records, end, findings }
    },
  }
}
