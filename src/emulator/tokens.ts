/**
 * Tokens of the emulator: a plausible, cheap and stable cut of text into pieces. No model's real vocabulary; what counts is
 * that one rule serves usage, CountTokens, `maxTokens` and the pace of streams, so that their numbers agree.
 *
 * The rule: white space sticks to what follows it; a run of letters and digits is cut after six characters, about the
 * length of a piece in English; every other character is a token of its own, and so is one of a script without spaces.
 */
const longestPieceLength = 6

/** Above this code unit come the scripts of East Asia and the surrogates. */
const firstWideCodeUnit = 0x2e80

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

function isWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || (code >= 0xc0 && code < firstWideCodeUnit)
}

/** The index after the token that begins at `start`. */
function endOfToken(text: string, start: number): number {
  let index = start
  while (index < text.length && isSpace(text.charCodeAt(index))) index += 1
  if (index >= text.length) return text.length
  const code = text.charCodeAt(index)
  if (!isWord(code)) return code >= 0xd800 && code <= 0xdbff && index + 1 < text.length ? index + 2 : index + 1
  const limit = Math.min(text.length, index + longestPieceLength)
  while (index < limit && isWord(text.charCodeAt(index))) index += 1
  return index
}

export function countTokens(text: string): number {
  let count = 0
  for (let index = 0; index < text.length; count += 1) index = endOfToken(text, index)
  return count
}

/** The tokens of a text, at most `limit` of them; joined they are its beginning. */
export function splitTokens(text: string, limit: number = Number.POSITIVE_INFINITY): readonly string[] {
  const tokens: string[] = []
  for (let index = 0; index < text.length && tokens.length < limit; ) {
    const end = endOfToken(text, index)
    tokens.push(text.slice(index, end))
    index = end
  }
  return tokens
}
