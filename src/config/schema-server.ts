/**
 * The configuration of the port: where the service listens, with which certificate, behind which proxies, and which web
 * pages may call it. Part of the one schema (`schema.ts`).
 *
 * Closed unless opened: no TLS without a certificate, no page of another origin, no proxy that is believed.
 */
import { choice, group, list, orNull, section, text, whole } from './fields.ts'

const file = { maxLength: 4_096 }

export const serverSchema = section('Where the service listens.', {
  host: text({
    description: 'The address; one that is not loopback needs `auth`.',
    maxLength: 255,
    pattern: '^[A-Za-z0-9.:_\\[\\]-]+$',
    form: 'an address or a host name',
    default: '127.0.0.1',
    reload: 'restart',
  }),
  port: whole({ description: 'The port; 0 takes a free one.', unit: 'port', minimum: 0, maximum: 65_535, default: 8_080, reload: 'restart' }),
  tls: orNull(
    group(
      {
        cert: text({ ...file, description: 'The file of the certificate chain, PEM. Read again on SIGHUP and when it changes.', reload: 'restart' }),
        key: text({ ...file, description: 'The file of its private key, PEM, not encrypted.', reload: 'restart' }),
        minVersion: choice(['TLSv1.2', 'TLSv1.3'], { description: 'The oldest protocol version that is spoken.', default: 'TLSv1.2', reload: 'restart' }),
        clientCa: orNull(text({ ...file, description: '', reload: 'restart' }), {
          description: 'The file of the authorities, PEM, of which every client must present a certificate; `null`: clients need none.',
          default: null,
          reload: 'restart',
        }),
      },
      { description: '', reload: 'restart' },
    ),
    { description: 'TLS with ALPN (`h2` and `http/1.1`); `null`: cleartext.', default: null, reload: 'restart' },
  ),
  trustedProxies: list(
    text({ description: '', maxLength: 64, pattern: '^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$', form: 'an address or a range such as 10.0.0.0/8', reload: 'live' }),
    {
      description: 'Proxies whose `X-Forwarded-For` is believed, for the lock-out and the log; what comes through one is never local.',
      default: [],
      maxItems: 100,
      reload: 'live',
    },
  ),
  cors: section('Web pages of other origins.', {
    origins: list(text({ description: '', maxLength: 300, pattern: '^https?://[A-Za-z0-9.:\\[\\]-]+$', form: 'an origin such as https://console.example', reload: 'live' }), {
      description: 'The origins whose pages may call the service with a key; needs `auth`. Empty: none.',
      default: [],
      maxItems: 100,
      reload: 'live',
    }),
  }),
})
