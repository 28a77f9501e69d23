// Package ratelimit keeps requests within a server's quota, so that the server never has to refuse one.
//
// [Limiter] keeps quotas that are known beforehand. [HeaderPacer] learns the quota from the answers' headers.
// Both let waiting requests go in one and the same order: lane by lane, first come, first served within a lane.
package ratelimit
