/**
 * The largest gRPC message that a node takes on either of its ports, in bytes. It is the same whatever the settings:
 * where it followed them, a request above them would end its stream and take every other call on it along, while one
 * that arrives whole is refused by itself, in words. It also bounds what one stream can make a node hold of a message
 * that has not come to its end.
 */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/**
 * The largest request that a node can be set to take, in bytes. It has to fit in a message, between nodes too, with
 * what goes around it: one that does not would never be replicated.
 */
export const LARGEST_REQUEST_BYTES = MAX_MESSAGE_BYTES - 4 * 1024 * 1024
