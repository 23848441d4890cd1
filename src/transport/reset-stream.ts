const CANCEL = 8 // NGHTTP2_CANCEL

/**
 * Resets the HTTP/2 stream below a server's call. gRPC's server has no public way to do so: to end a call is to
 * send all that was written before, and to destroy it tells the other side nothing, which then would wait for
 * ever.
 */
export function resetStream(call: object): void {
  let layer: unknown = call
  // The call, the interceptors around it, the HTTP/2 stream.
  for (let depth = 0; depth < 8 && typeof layer === 'object' && layer !== null; depth++) {
    const { stream, call: inner, nextCall } = layer as Record<'stream' | 'call' | 'nextCall', unknown>
    if (isHttp2Stream(stream)) {
      stream.close(CANCEL)
      return
    }
    layer = inner ?? nextCall
  }
}

function isHttp2Stream(value: unknown): value is { close(code: number): void; rstCode: number } {
  return typeof value === 'object' && value !== null && 'rstCode' in value && 'close' in value
}
