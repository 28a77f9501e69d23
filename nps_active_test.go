package clicknps_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// toggled is a survey on a server where toggles go wrong.
type toggled struct {
	active  bool
	toggles int                // that had an effect
	get     httpmock.Responder // instead of the survey, if it answers
	toggle  httpmock.Responder // instead of the toggled survey, if it answers; the effect is its own
	log     []string
}

func (s *toggled) respond(req *http.Request) (*http.Response, error) {
	instead := s.get
	s.log = append(s.log, req.Method)
	if req.Method == http.MethodPost {
		instead = s.toggle
	}
	if instead != nil {
		if res, err := instead(req); res != nil || err != nil {
			return res, err
		}
	}
	if req.Method == http.MethodPost {
		s.flip()
	}
	return s.survey(req)
}

func (s *toggled) flip() {
	s.active = !s.active
	s.toggles++
}

func (s *toggled) survey(req *http.Request) (*http.Response, error) {
	return reply(200, strings.Replace(`{"id":"s","isActive":false}`, "false", map[bool]string{true: "true", false: "false"}[s.active], 1))(req)
}

var errLine = errors.New("the line is cut")

func TestSetActive(t *testing.T) {
	t.Parallel()
	// Each makes one toggle go wrong, in another way.
	lostAnswer := func(s *toggled) httpmock.Responder {
		return func(*http.Request) (*http.Response, error) {
			s.toggle = nil
			s.flip()
			return nil, errLine
		}
	}
	lostRequest := func(s *toggled) httpmock.Responder {
		return func(*http.Request) (*http.Response, error) {
			s.toggle = nil
			return nil, errLine
		}
	}
	for _, tt := range []struct {
		name    string
		active  bool // before
		toggle  func(*toggled) httpmock.Responder
		toggles int
		log     string
	}{
		{name: "already so", active: true, log: "GET"},
		{name: "toggled once", toggles: 1, log: "GET POST"},
		{name: "an answer that is lost is not doubled", toggle: lostAnswer, toggles: 1, log: "GET POST GET"},
		{name: "a request that is lost is made up for", toggle: lostRequest, toggles: 1, log: "GET POST GET GET GET GET POST"},
		{
			name: "an answer that can't be read is not doubled", toggles: 1, log: "GET POST GET",
			toggle: func(s *toggled) httpmock.Responder {
				return func(req *http.Request) (*http.Response, error) {
					s.toggle = nil
					s.flip()
					return reply(200, "<html>")(req)
				}
			},
		},
		{
			name: "a 503 with an effect is not doubled", toggles: 1, log: "GET POST GET",
			toggle: func(s *toggled) httpmock.Responder {
				return func(req *http.Request) (*http.Response, error) {
					s.toggle = nil
					s.flip()
					return reply(503, "")(req)
				}
			},
		},
		{
			name: "someone else toggles in between", toggles: 3, log: "GET POST GET POST",
			toggle: func(s *toggled) httpmock.Responder {
				return func(*http.Request) (*http.Response, error) {
					s.toggle = nil
					s.flip() // theirs, before ours
					return nil, nil
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &toggled{active: tt.active}
				if tt.toggle != nil {
					s.toggle = tt.toggle(s)
				}
				survey, err := newWire(s.respond).client(t).SalesOS.NPS.SetActive(t.Context(), "s", true)
				require.NoError(t, err)
				assert.True(t, survey.IsActive)
				assert.True(t, s.active)
				assert.Equal(t, tt.toggles, s.toggles)
				assert.Equal(t, tt.log, strings.Join(s.log, " "))
			})
		})
	}
}

func TestSetInactive(t *testing.T) {
	t.Parallel()
	s := &toggled{active: true}
	client := newWire(s.respond).client(t)
	for range 2 { // safe to repeat
		survey, err := client.SalesOS.NPS.SetActive(t.Context(), "s", false)
		require.NoError(t, err)
		assert.False(t, survey.IsActive)
	}
	assert.Equal(t, 1, s.toggles)
}

func TestSetActiveWithoutAnAnswerToGoBy(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"id":"s"}`, `{"id":"s","isActive":null}`, `{"data":{"id":"s"}}`} {
		s := &toggled{get: reply(200, body)}
		survey, err := newWire(s.respond).client(t).SalesOS.NPS.SetActive(t.Context(), "s", true)
		require.Error(t, err)
		assert.Nil(t, survey)
		assert.Contains(t, asError(t, err).Error(), "isActive is missing")
		assert.Zero(t, s.toggles, "false is not to be guessed")
	}
	s := &toggled{}
	s.toggle = func(req *http.Request) (*http.Response, error) {
		s.flip()
		return reply(201, `{"id":"s"}`)(req)
	}
	survey, err := newWire(s.respond).client(t).SalesOS.NPS.SetActive(t.Context(), "s", true)
	assert.Nil(t, survey)
	assert.Contains(t, asError(t, err).Error(), "isActive is missing")
	assert.Equal(t, 1, s.toggles, "it is not toggled again before it is known to be needed")
}

func TestSetActiveThatFails(t *testing.T) {
	t.Parallel()
	never := func(*http.Request) (*http.Response, error) { return nil, errLine }
	for _, tt := range []struct {
		name   string
		server toggled
		is     []string
		most   int // requests
	}{
		{"no such survey", toggled{get: reply(404, "")}, []string{"not found"}, 1},
		{"toggling is forbidden", toggled{toggle: reply(403, "")}, []string{"forbidden"}, 2},
		{"no toggle ever comes back", toggled{toggle: never}, []string{"outcome unknown"}, 1 + 4 + 4*4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &tt.server
				survey, err := newWire(s.respond).client(t).SalesOS.NPS.SetActive(t.Context(), "s", true)
				assert.Nil(t, survey)
				assertIs(t, err, tt.is...)
				asError(t, err)
				assert.LessOrEqual(t, len(s.log), tt.most)
			})
		})
	}
}

// Once a toggle's outcome is unknown, an error that keeps it from being read leaves it unknown.
func TestSetActiveThatCannotReadAgain(t *testing.T) {
	t.Parallel()
	s := &toggled{}
	s.toggle = func(*http.Request) (*http.Response, error) {
		s.get = reply(500, "")
		return nil, errLine
	}
	_, err := newWire(s.respond).client(t).SalesOS.NPS.SetActive(t.Context(), "s", true)
	assertIs(t, err, "outcome unknown", "server")
}

func TestSetActiveAgainstSomeoneElse(t *testing.T) {
	t.Parallel()
	s := &toggled{}
	s.toggle = func(*http.Request) (*http.Response, error) {
		s.flip() // theirs, always just before ours
		return nil, nil
	}
	survey, err := newWire(s.respond).client(t).SalesOS.NPS.SetActive(t.Context(), "s", true)
	assert.Nil(t, survey)
	assertIs(t, err, "conflict")
	asError(t, err)
	assert.LessOrEqual(t, len(s.log), 10, "it gives up some time")
	assert.False(t, s.active, "as many toggles of ours as of theirs")
}

func TestSetActiveOptions(t *testing.T) {
	t.Parallel()
	w := newWire((&toggled{}).respond)
	_, err := w.client(t).SalesOS.NPS.SetActive(t.Context(), "s", true, clicknps.WithHeader("X-Tenant", "7"))
	require.NoError(t, err)
	for _, req := range w.sent() {
		assert.Equal(t, "7", req.Header.Get("X-Tenant"), "in every request")
	}
}

// A toggle that timed out may still take effect: it is looked at until it does, and never made again.
func TestSetActiveWaitsForASlowToggle(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]time.Duration{"after a while": 3 * time.Second, "never": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := clicknpstest.Run(t)
				survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Quarterly"})
				toggles := 0
				client := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{AttemptTimeout: time.Second}),
					through(roundTripper(func(r *http.Request) (*http.Response, error) {
						if r.Method == http.MethodGet {
							return srv.Transport().RoundTrip(r)
						}
						toggles++
						time.AfterFunc(slow, func() { _, _ = srv.Transport().RoundTrip(r.WithContext(context.WithoutCancel(r.Context()))) })
						<-r.Context().Done()
						return nil, r.Context().Err()
					})))
				got, err := client.SalesOS.NPS.SetActive(t.Context(), survey.ID, true)
				require.Equal(t, 1, toggles)
				if slow == time.Hour {
					require.ErrorIs(t, err, clicknps.ErrOutcomeUnknown)
					return
				}
				require.NoError(t, err)
				require.True(t, got.IsActive)
			})
		})
	}
}

// A toggle that a gateway gave up, or whose connection was lost, may take effect later: another would
// undo it.
func TestSetActiveWhereAToggleTakesEffectLater(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func() (*http.Response, error){
		"lost": loses, "408": gives(408, ""), "502": gives(502, ""), "504": gives(504, "<html>"),
		"520": gives(520, ""), "522": gives(522, ""), "524": gives(524, ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := clicknpstest.Run(t)
				survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Quarterly"})
				client := srv.Client(through(roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodGet {
						return srv.Transport().RoundTrip(r)
					}
					later := r.WithContext(context.WithoutCancel(r.Context()))
					time.AfterFunc(1500*time.Millisecond, func() { _, _ = srv.Transport().RoundTrip(later) })
					return answer()
				})))
				got, err := client.SalesOS.NPS.SetActive(t.Context(), survey.ID, true)
				require.NoError(t, err)
				assert.True(t, got.IsActive)
				<-time.After(time.Minute)
				assert.True(t, srv.NPSSurveys()[0].IsActive)
			})
		})
	}
}

// Toggled on a line that loses a third of everything, a survey is as it was asked to be, and never toggled twice.
func TestSetActiveOnALossyLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(0))
		survey := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "Onboarding"})
		lossy(srv, http.MethodPost, "/v1/nps-surveys/*/toggle", 0.1)
		client := srv.Client(clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: 20}))
		for i := range 200 {
			want := i%2 == 0
			got, err := client.SalesOS.NPS.SetActive(t.Context(), survey.ID, want)
			require.NoError(t, err)
			require.Equal(t, want, got.IsActive)
			require.Equal(t, want, srv.NPSSurveys()[0].IsActive)
		}
	})
}
