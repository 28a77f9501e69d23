package clicknpstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	clicknps "github.com/clicknps/go-sdk"
)

// Finding is the outcome of one check of a service.
type Finding struct {
	Service string `json:"service"` // "clicknps" or "salesos"
	Check   string `json:"check"`   // what the documents say, or the SDK assumes
	Status  string `json:"status"`  // [Held], [Differs] or [NotChecked]
	Detail  string `json:"detail,omitempty"`
}

// The statuses of a [Finding].
const (
	Held       = "held"
	Differs    = "differs"
	NotChecked = "not checked"
)

// ServiceOption configures [TestService] and [CheckService].
type ServiceOption func(*serviceCheck)

// WithWrites lets the checks create objects, change them and delete them again. Without it they only
// read.
func WithWrites() ServiceOption { return func(c *serviceCheck) { c.writes = true } }

// TestService tests that the services behind client behave as their documents say and as the SDK
// assumes, like [testing/fstest.TestFS]. It calls t.Errorf for each check that does not hold, and logs
// those that could not be made. A service for which client has no credential is not checked.
func TestService(t TB, client *clicknps.Client, opts ...ServiceOption) {
	t.Helper()
	for _, f := range CheckService(context.Background(), client, opts...) {
		switch f.Status {
		case Differs:
			t.Errorf("%s: %s: %s", f.Service, f.Check, f.Detail)
		case NotChecked:
			t.Logf("%s: %s: not checked: %s", f.Service, f.Check, f.Detail)
		}
	}
}

// CheckService makes the checks of [TestService] and returns what it finds, in a fixed order. It makes
// about 35 requests, and 50 with [WithWrites]. A check fails with the end of ctx.
func CheckService(ctx context.Context, client *clicknps.Client, opts ...ServiceOption) []Finding {
	c := &serviceCheck{ctx: ctx, client: client}
	for _, opt := range opts {
		opt(c)
	}
	checks := []struct {
		service string
		list    []check
	}{
		{"clicknps", clickNPSChecks},
		{"salesos", salesOSChecks},
		{"clicknps", clickNPSWriteChecks},
		{"salesos", salesOSWriteChecks},
	}
	var findings []Finding
	for i, service := range checks {
		for _, one := range service.list {
			f := Finding{Service: service.service, Check: one.says, Status: Held}
			if i >= 2 && !c.writes {
				f.Status, f.Detail = NotChecked, "it needs writes"
			} else if err := one.run(c); err != nil {
				f.Status, f.Detail = Differs, err.Error()
				if errors.Is(err, errNothingThere) || errors.Is(err, clicknps.ErrMissingCredentials) {
					f.Status = NotChecked
				}
			}
			findings = append(findings, f)
		}
	}
	return findings
}

// check is one thing that the documents say, or the SDK assumes. run returns how the service differs.
type check struct {
	says string
	run  func(c *serviceCheck) error
}

type serviceCheck struct {
	ctx    context.Context
	client *clicknps.Client
	writes bool
}

// cleanup is the context for deleting what a check has created, even if it was interrupted.
func (c *serviceCheck) cleanup() context.Context { return context.WithoutCancel(c.ctx) }

var errNothingThere = errors.New("the account has nothing to check it with")

// expect returns an error with the text if a condition does not hold.
func expect(holds bool, format string, args ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// all returns the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// expectError checks an error that a service must answer with.
func expectError(err, sentinel error, status int) error {
	e, ok := errors.AsType[*clicknps.Error](err)
	switch {
	case err == nil:
		return fmt.Errorf("a success instead of status %d", status)
	case errors.Is(err, clicknps.ErrMissingCredentials):
		return err
	case !ok || !errors.Is(err, sentinel):
		return fmt.Errorf("not status %d: %w", status, err)
	}
	return expect(e.Message != "", "its body has no message: %q", e.Body)
}

// unknownFields returns an error that names fields that the SDK does not know.
func unknownFields(raw []byte, known ...string) error {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	for _, name := range known {
		delete(fields, name)
	}
	return expect(len(fields) == 0, "fields that the SDK does not know: %v", slices.Sorted(maps.Keys(fields)))
}

// missingID is an id that no object has.
const missingID = "no-such-id-7f3a"

func (c *serviceCheck) survey() (*clicknps.Survey, error) {
	page, err := c.client.Surveys.List(c.ctx, &clicknps.SurveyListParams{Limit: 1}, clicknps.WithRawJSON())
	if err == nil && len(page.Data) == 0 {
		err = errNothingThere
	}
	if err != nil {
		return nil, err
	}
	return &page.Data[0], nil
}

func (c *serviceCheck) response() (*clicknps.Response, error) {
	page, err := c.client.Responses.List(c.ctx, &clicknps.ResponseListParams{Limit: 1}, clicknps.WithRawJSON())
	if err == nil && len(page.Data) == 0 {
		err = errNothingThere
	}
	if err != nil {
		return nil, err
	}
	return &page.Data[0], nil
}

func (c *serviceCheck) npsSurvey() (*clicknps.NPSSurvey, error) {
	page, err := c.client.SalesOS.NPS.List(c.ctx, nil, clicknps.WithRawJSON())
	if err == nil && len(page.Data) == 0 {
		err = errNothingThere
	}
	if err != nil {
		return nil, err
	}
	return &page.Data[0], nil
}

// believable reports whether a time is set and not in the future.
func believable(at time.Time) bool {
	return at.Year() > 2000 && at.Before(time.Now().AddDate(0, 0, 2))
}
