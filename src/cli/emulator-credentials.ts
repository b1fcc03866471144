/**
 * How a configuration made here names the credentials that the AWS emulator takes. A configuration holds no secret itself,
 * not even one that everybody knows: it names variables.
 */
export const emulatorCredentials = { accessKeyId: '${EMULATOR_KEY}', secretAccessKey: '${EMULATOR_SECRET}' } as const

/** The variables that `emulatorCredentials` names. */
export const emulatorKeys = { EMULATOR_KEY: 'emulator', EMULATOR_SECRET: 'emulator' } as const
