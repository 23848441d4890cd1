import type { CallBody } from './call.ts'

/** What a request takes on the wire beside keys and values, and each key or pair of it: never less. In bytes. */
const REQUEST_OVERHEAD = 64
const ITEM_OVERHEAD = 16

/** About how many bytes a request takes on the wire, and not less. */
export function requestBytes(body: CallBody): number {
  let size = REQUEST_OVERHEAD
  if (body.type === 'read') {
    for (const key of body.keys) size += key.length + ITEM_OVERHEAD
    return size
  }
  const { operation } = body
  switch (operation.type) {
    case 'compact':
      return size
    case 'put':
      return size + operation.key.length + operation.value.length
    case 'delete':
      return size + operation.key.length
    case 'cas':
      if (operation.expected.type === 'value') size += operation.expected.value.length
      return size + operation.key.length + operation.newValue.length
    case 'putMany':
      for (const put of operation.puts) size += put.key.length + put.value.length + ITEM_OVERHEAD
      return size
  }
}
