package clicknps

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/clicknps/go-sdk/internal/engine"
)

const (
	maxToggles = 4 // by SetActive, when others toggle the same survey at the same time
	maxLooks   = 6 // at a survey whose toggle timed out
)

// SetActive makes the survey active or inactive, and returns it. It reads the survey, and toggles it only if needed; after
// a toggle whose outcome is unknown it reads again. So it can be repeated. If others toggle the survey meanwhile, it
// may fail with [ErrConflict]. A toggle that timed out may still take effect: it is looked at for some seconds and never made
// again; if nothing has changed then, the error is [ErrOutcomeUnknown].
//
// GET /v1/nps-surveys/{id}, POST /v1/nps-surveys/{id}/toggle
func (s *NPSService) SetActive(ctx context.Context, id string, active bool, opts ...RequestOption) (*NPSSurvey, error) {
	var unknown error // the last toggle's outcome
	for n := 0; ; n++ {
		survey, err := s.look(ctx, id, active, unknown, opts)
		if survey, done, err := s.settled(survey, active, err); done {
			return survey, err
		}
		if n == maxToggles {
			break
		}
		survey, unknown = s.Toggle(ctx, id, opts...)
		if errors.Is(unknown, ErrOutcomeUnknown) {
			continue
		}
		if survey, done, err := s.settled(survey, active, unknown); done {
			return survey, err
		}
	}
	if unknown != nil {
		return nil, unknown
	}
	return nil, s.api.problem(call{method: http.MethodPost, path: npsPath(id, "toggle")}, "others toggle the survey at the same time", ErrConflict)
}

// look reads the survey: after a toggle whose outcome is unknown not at once, and if it timed out, until it shows an effect.
func (s *NPSService) look(ctx context.Context, id string, active bool, unknown error, opts []RequestOption) (*NPSSurvey, error) {
	if unknown == nil {
		return s.Get(ctx, id, opts...)
	}
	_, timedOut := errors.AsType[engine.TimeoutError](unknown)
	for n := range maxLooks {
		survey, err := s.lookLater(ctx, n, id, opts)
		if e, ok := errors.AsType[*Error](err); ok {
			e.causes = append(e.causes, ErrOutcomeUnknown)
		}
		if err != nil || survey.IsActive == active || !timedOut {
			return survey, err
		}
	}
	return nil, unknown
}

func (s *NPSService) lookLater(ctx context.Context, n int, id string, opts []RequestOption) (*NPSSurvey, error) {
	if err := s.api.engine.Backoff(ctx, n); err != nil {
		return nil, s.api.problem(call{method: http.MethodGet, path: npsPath(id)}, "", err)
	}
	return s.Get(ctx, id, opts...)
}

// settled reports whether SetActive is done: the survey is as wanted, or err says why not. An answer that does not say
// whether the survey is active is an error, not a false.
func (s *NPSService) settled(survey *NPSSurvey, want bool, err error) (*NPSSurvey, bool, error) {
	if err != nil {
		return nil, true, err
	}
	var sent struct {
		IsActive *json.RawMessage `json:"isActive"`
	}
	if json.Unmarshal(survey.RawJSON(), &sent) != nil || sent.IsActive == nil {
		return nil, true, s.api.problem(call{method: http.MethodGet, path: npsPath(survey.ID)}, "isActive is missing in the answer", nil)
	}
	return survey, survey.IsActive == want, nil
}
