package clicknps

import (
	"errors"
	"iter"
)

// ErrTooMany is the error of [Collect] when there are more items than wanted.
var ErrTooMany = errors.New("more items than wanted")

// Collect returns what a walk by All yields, as a slice, up to limit items. If there are more, the error is [ErrTooMany];
// if the walk fails, it is the walk's. What was collected until then is returned with it.
//
//	webhooks, err := clicknps.Collect(client.Webhooks.All(ctx, nil), 1000)
func Collect[T any](items iter.Seq2[*T, error], limit int) ([]T, error) {
	var collected []T
	for item, err := range items {
		if err != nil {
			return collected, err
		}
		if len(collected) >= limit {
			return collected, ErrTooMany
		}
		collected = append(collected, *item)
	}
	return collected, nil
}
