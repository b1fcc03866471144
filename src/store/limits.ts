/**
 * The limits of both ports, each with its unit and its reason. Engines may be tighter where an engine's file says so.
 */
export const storeLimits = {
  /** UTF-8 bytes of a collection's name or of a key: tenant, client's key and separators fit; an index page still holds several. */
  keyBytes: 1_024,
  /** UTF-8 bytes of one value as JSON: a request body (4 MiB) with its answer and the frame around them. */
  valueBytes: 16 * 1_024 * 1_024,
  /** Records of one page of a listing: the public listing's limit, and one more to know whether there is a next page. */
  listLimit: 1_001,
  /** Records of the memory engine, all collections: about 200 MB at 1 kB each, then it says `full` instead of growing. */
  memoryRecords: 200_000,
  /** Bytes of JSON of the memory engine, all collections, so that large answers cannot take the process with them. */
  memoryBytes: 256 * 1_024 * 1_024,
} as const
