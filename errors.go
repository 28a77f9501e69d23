package clicknps

import "errors"

var (
	ErrInvalidParams    = errors.New("clicknps: invalid parameters")
	ErrRateLimited      = errors.New("clicknps: rate limited")
	ErrInvalidSignature = errors.New("clicknps: webhook: invalid signature")
	ErrStaleEvent       = errors.New("clicknps: webhook: stale event")
)
