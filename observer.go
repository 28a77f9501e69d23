package clicknps

import "context"

// WithObserver calls fn once for each call, before its first wait, and the function that fn
// returns when the call ends, with what the method returns. The call goes on with the context that
// fn returns. Each page of a walk is a call. Concurrent calls call fn concurrently. Observers are
// for spans, metrics and audit logs; middleware sees attempts.
func WithObserver(
	fn func(ctx context.Context, call Call) (context.Context, func(info CallInfo, err error)),
) Option {
	return option(func(c *config) error {
		if fn == nil {
			return invalidOption("WithObserver", "the function is nil")
		}
		c.observers = append(c.observers, fn)
		return nil
	})
}

type observer = func(context.Context, Call) (context.Context, func(CallInfo, error))

// observe calls the observers. done reports the end of the call to them; nil if there are none.
func (s *service) observe(ctx context.Context, call Call) (_ context.Context, done func(CallInfo, error)) {
	if len(s.observers) == 0 || ctx == nil {
		return ctx, nil
	}
	var ends []func(CallInfo, error)
	for _, observe := range s.observers {
		observed, end := observe(ctx, call)
		if observed != nil {
			ctx = observed
		}
		if end != nil {
			ends = append(ends, end)
		}
	}
	return ctx, func(info CallInfo, err error) {
		for i := len(ends) - 1; i >= 0; i-- {
			ends[i](info, err)
		}
	}
}
