package clicknps

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/clicknps/go-sdk/internal/backoff"
	"github.com/clicknps/go-sdk/internal/engine"
)

const (
	maxToggles = 4 // by SetActive, when others toggle the same survey at the same time
	maxReads   = 6 // of a survey whose toggle may be under way
)

// SetActive makes a survey active or inactive, and returns it. It is safe to repeat: it reads the
// survey (GET /v1/nps-surveys/{id}), toggles it only if needed (POST /v1/nps-surveys/{id}/toggle),
// and reads it again if the outcome of the toggle is unknown. A toggle that was lost or timed out may
// still take effect: SetActive reads for some seconds. Then it toggles again, or if the toggle timed
// out, fails with [ErrOutcomeUnknown]. It also fails with [ErrNotFound], and with [ErrConflict] if
// others toggle the survey meanwhile.
func (s *NPSService) SetActive(
	ctx context.Context, id string, active bool, opts ...RequestOption,
) (*NPSSurvey, error) {
	var unknown error // the error of the last toggle
	for n := 0; ; n++ {
		survey, err := s.readActive(ctx, id, active, unknown, opts)
		if err != nil || survey.IsActive == active {
			return survey, err
		}
		if n == maxToggles {
			break
		}
		survey, unknown = s.withActive(ctx, http.MethodPost, npsSurveyRoute+"/toggle", id, opts)
		switch {
		case errors.Is(unknown, errNoActive):
			return nil, unknown
		case errors.Is(unknown, ErrOutcomeUnknown):
		case unknown != nil:
			return nil, unknown
		case survey.IsActive == active:
			return survey, nil
		}
	}
	if unknown != nil {
		return nil, unknown
	}
	c := call{operation: "NPS.SetActive", method: http.MethodPost, route: npsSurveyRoute + "/toggle", id: id}
	e := s.api.failure(c, s.api.options(nil), nil, ErrConflict)
	e.Message = "others toggle the survey at the same time"
	return nil, e
}

// readActive reads the survey. After a toggle with an unknown outcome it waits first. A toggle that
// may still be under way must not be followed by another, which would undo it: readActive reads
// until the survey shows an effect, and gives up if the toggle timed out.
func (s *NPSService) readActive(
	ctx context.Context, id string, active bool, unknown error, opts []RequestOption,
) (survey *NPSSurvey, err error) {
	read := func() (*NPSSurvey, error) { return s.withActive(ctx, http.MethodGet, npsSurveyRoute, id, opts) }
	if unknown == nil {
		return read()
	}
	reads, timedOut := readsAfter(unknown)
	for n := range reads {
		policy := s.api.options(opts).policy
		if err := engine.Sleep(ctx, backoff.Jitter(policy.MinBackoff, policy.MaxBackoff, n)); err != nil {
			c := call{operation: "NPS.SetActive", method: http.MethodGet, route: npsSurveyRoute, id: id}
			return nil, s.api.failure(c, s.api.options(opts), nil,
				fmt.Errorf("%w: %w", ErrOutcomeUnknown, err))
		}
		survey, err = read()
		if e, ok := errors.AsType[*Error](err); ok {
			e.add(ErrOutcomeUnknown)
		}
		if err != nil || survey.IsActive == active {
			return survey, err
		}
	}
	if timedOut {
		return nil, unknown
	}
	return survey, nil
}

// readsAfter returns how often to read the survey after a toggle that failed with err: the server may
// still be at work on one that timed out, or whose connection was lost.
func readsAfter(err error) (reads int, timedOut bool) {
	e, _ := errors.AsType[*Error](err)
	if _, ok := errors.AsType[engine.TimeoutError](err); ok {
		return maxReads, true
	}
	switch e.StatusCode {
	case http.StatusRequestTimeout, http.StatusGatewayTimeout, 522, 524: // Cloudflare: the origin is slow
		return maxReads, true
	case 0, http.StatusBadGateway, 520:
		return maxReads - 2, false
	}
	return 1, false
}

var errNoActive = errors.New("isActive is missing")

// withActive makes one request of SetActive. Its answer must have isActive and come from no cache.
func (s *NPSService) withActive(
	ctx context.Context, method, route, id string, opts []RequestOption,
) (*NPSSurvey, error) {
	var survey activeSurvey
	o := s.api.options(append([]RequestOption{WithHeader("Cache-Control", "no-cache")}, opts...))
	c := call{operation: "NPS.SetActive", method: method, route: route, id: id}
	err := s.api.do(ctx, c, o, func(res *engine.Result) error {
		if err := decode[activeSurvey](res, &survey, o.rawJSON); err != nil {
			return undecodable(err)
		}
		if survey.Active == nil {
			return undecodable(errNoActive)
		}
		survey.IsActive = *survey.Active
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &survey.NPSSurvey, nil
}

type activeSurvey struct {
	NPSSurvey
	Active *bool `json:"isActive"` // instead of NPSSurvey's
}
