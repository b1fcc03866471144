/**
 * The errors of Amazon Bedrock as they look on the wire: name, HTTP status, AWS's sentence, and the name of the stream
 * member where an error may arrive as a frame inside a 200 answer.
 *
 * Source: the service model in the AWS SDK for JavaScript 3.1164 (statuses, stream members) and the errors that AWS's front
 * end writes before a service sees the request (signature, token). It decides nothing about when an error happens.
 */
export const exceptionNames = [
  'AccessDeniedException',
  'ConflictException',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InternalServerException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'ModelErrorException',
  'ModelNotReadyException',
  'ModelStreamErrorException',
  'ModelTimeoutException',
  'RequestEntityTooLargeException',
  'ResourceNotFoundException',
  'ServiceQuotaExceededException',
  'ServiceUnavailableException',
  'ThrottlingException',
  'UnknownOperationException',
  'UnrecognizedClientException',
  'ValidationException',
] as const
export type ExceptionName = (typeof exceptionNames)[number]

export interface ExceptionShape {
  readonly status: number
  readonly message: string
  /** Members besides `message`, where the model has them. */
  readonly members?: Readonly<Record<string, string | number>>
  /** The stream member that carries it in mid-stream. */
  readonly frame?: string
}

export const exceptionShapes: Readonly<Record<ExceptionName, ExceptionShape>> = {
  AccessDeniedException: { status: 403, message: "You don't have access to the model with the specified model ID." },
  ConflictException: { status: 400, message: 'A conflict occurred while performing this operation.' },
  ExpiredTokenException: { status: 403, message: 'The security token included in the request is expired' },
  IncompleteSignatureException: { status: 403, message: 'The request signature does not conform to AWS standards.' },
  InternalServerException: {
    status: 500,
    message: 'The system encountered an unexpected error during processing. Try your request again.',
    frame: 'internalServerException',
  },
  InvalidSignatureException: {
    status: 403,
    message:
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  },
  MissingAuthenticationTokenException: { status: 403, message: 'Missing Authentication Token' },
  ModelErrorException: {
    status: 424,
    message: 'The model returned an error while processing the request.',
    members: { originalStatusCode: 500, resourceName: 'emulated-model' },
  },
  ModelNotReadyException: { status: 429, message: 'Model is not ready for inference. Wait and try your request again.' },
  ModelStreamErrorException: {
    status: 424,
    message: 'The model encountered an error while streaming the response.',
    members: { originalStatusCode: 500, originalMessage: 'Emulated failure of the model.' },
    frame: 'modelStreamErrorException',
  },
  ModelTimeoutException: {
    status: 408,
    message: 'The request took too long to process. Processing time exceeded the model timeout length.',
    frame: 'modelTimeoutException',
  },
  RequestEntityTooLargeException: { status: 413, message: 'The request body is too large.' },
  ResourceNotFoundException: { status: 404, message: 'Could not resolve the foundation model from the provided model identifier.' },
  ServiceQuotaExceededException: { status: 400, message: 'The request would exceed a service quota of your account.' },
  ServiceUnavailableException: {
    status: 503,
    message: 'Bedrock is unable to process your request. Try your request again.',
    frame: 'serviceUnavailableException',
  },
  ThrottlingException: { status: 429, message: 'Too many requests, please wait before trying again.', frame: 'throttlingException' },
  UnknownOperationException: { status: 404, message: 'The requested operation is not recognised.' },
  UnrecognizedClientException: { status: 403, message: 'The security token included in the request is invalid.' },
  ValidationException: { status: 400, message: 'The provided request is not valid', frame: 'validationException' },
}

/** An error to answer with; `message` replaces AWS's general sentence. */
export interface Refusal {
  readonly exception: ExceptionName
  readonly message?: string
}

/** The JSON body of an error answer, and the payload of an exception frame: both are the same structure. */
export function exceptionBody(refusal: Refusal): string {
  const shape = exceptionShapes[refusal.exception]
  return JSON.stringify({ message: refusal.message ?? shape.message, ...shape.members })
}

export function invalid(message: string): Refusal {
  return { exception: 'ValidationException', message }
}

/** Exceptions that can arrive as a frame; `ModelTimeoutException` only on the streams of InvokeModel. */
export const streamableExceptions = exceptionNames.filter((name) => exceptionShapes[name].frame !== undefined)
