package clicknps

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// maxToggles bounds how often SetActive tries when others toggle the same survey at the same time.
const maxToggles = 4

// SetActive makes the survey active or inactive, and returns it. It reads the survey, and toggles it only if needed; after
// a toggle whose outcome is unknown it reads again. So it can be repeated. If others toggle the survey meanwhile, it
// may fail with [ErrConflict]; if the last toggle's outcome can't be read, with [ErrOutcomeUnknown].
//
// GET /v1/nps-surveys/{id}, POST /v1/nps-surveys/{id}/toggle
func (s *NPSService) SetActive(ctx context.Context, id string, active bool, opts ...RequestOption) (*NPSSurvey, error) {
	var unknown error
	for range maxToggles {
		survey, err := s.Get(ctx, id, opts...)
		if e, ok := errors.AsType[*Error](err); ok && unknown != nil {
			e.causes = append(e.causes, ErrOutcomeUnknown)
		}
		if survey, done, err := s.settled(survey, active, err); done {
			return survey, err
		}
		survey, err = s.Toggle(ctx, id, opts...)
		if errors.Is(err, ErrOutcomeUnknown) {
			unknown = err
			continue
		}
		if survey, done, err := s.settled(survey, active, err); done {
			return survey, err
		}
		unknown = nil
	}
	if unknown != nil {
		return nil, unknown
	}
	return nil, s.api.problem(call{method: http.MethodPost, path: npsPath(id, "toggle")}, "others toggle the survey at the same time", ErrConflict)
}

// settled reports whether SetActive is done: the survey is as wanted, or err says why not. An answer that does not say
// whether the survey is active is an error, not a false.
func (s *NPSService) settled(survey *NPSSurvey, want bool, err error) (_ *NPSSurvey, done bool, _ error) {
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
