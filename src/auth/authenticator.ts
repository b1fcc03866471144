/**
 * The shell: authentication against the keys of the current configuration. The ring is made again when a reload brings
 * another `auth`, so that a withdrawn key stops working with the next request.
 */
import type { AuthConfig } from '../config/schema.ts'
import { createKeyRing } from './adapters/key-ring.ts'
import { authenticate, type Authentication, type Credentials, type KeyRing } from './authenticate.ts'

export interface Authenticator {
  authenticate(credentials: Credentials): Authentication
}

/** @param currentAuth the `auth` of the configuration in force: the same object until a reload changes it. */
export function createAuthenticator(currentAuth: () => AuthConfig | null): Authenticator {
  let auth = currentAuth()
  let ring: KeyRing = createKeyRing(auth?.keys ?? [])
  return {
    authenticate(credentials) {
      const current = currentAuth()
      if (current !== auth) {
        auth = current
        ring = createKeyRing(current?.keys ?? [])
      }
      return authenticate(credentials, auth, ring)
    },
  }
}
