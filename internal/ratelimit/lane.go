package ratelimit

import "context"

// Lane says how urgent a request is. While requests of an earlier lane wait, none of a later lane goes.
type Lane int

// The lanes, the most urgent first.
const (
	Interactive Lane = iota // somebody waits for the answer
	Bulk                    // one of many: a walk, an export

	lanes = iota
)

type laneKey struct{}

// WithLane returns a context whose requests queue up in lane. Without it, they are [Interactive].
func WithLane(ctx context.Context, lane Lane) context.Context {
	return context.WithValue(ctx, laneKey{}, lane)
}

// LaneOf returns the lane that ctx's requests queue up in.
func LaneOf(ctx context.Context) Lane {
	lane, _ := ctx.Value(laneKey{}).(Lane)
	return lane
}
