package clicknpstest

import (
	"cmp"
	"slices"

	"github.com/clicknps/go-sdk"
)

// AddSurvey adds a ClickNPS survey, and returns it with what was missing filled in: an id, a name
// and a question, the status active, the fake's time. A survey with the same id is replaced.
func (s *Server) AddSurvey(sv clicknps.Survey) clicknps.Survey {
	s.mu.Lock()
	defer s.mu.Unlock()
	sv.ID = cmp.Or(sv.ID, s.store.newID("survey"))
	sv.Name = cmp.Or(sv.Name, "My Survey")
	sv.Question = cmp.Or(sv.Question, "How likely are you to recommend us?")
	sv.Status = cmp.Or(sv.Status, "active")
	sv.CreatedAt, sv.UpdatedAt = cmp.Or(stored(sv.CreatedAt), s.instant()), stored(sv.UpdatedAt)
	sv.RawJSON = nil
	s.store.surveys.put(sv.ID, &survey{Survey: sv})
	return sv
}

// AddResponse adds a ClickNPS response as it is, and fills in a missing id and the fake's time.
// The score may be [clicknps.NoScore]. The response is then its subject's answer, and is not
// delivered to webhooks: see [Server.Respond]. A response with the same id is replaced, and its
// subject may answer again.
func (s *Server) AddResponse(r clicknps.Response) clicknps.Response {
	s.checkScore(r.Score, clicknps.NoScore)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.ID = cmp.Or(r.ID, s.store.newID("response"))
	r.CreatedAt, r.UpdatedAt = cmp.Or(stored(r.CreatedAt), s.instant()), stored(r.UpdatedAt)
	r.RawJSON = nil
	s.store.addResponse(&response{Response: r})
	return r
}

// RemoveResponse removes a ClickNPS response, so that its subject may answer again. Deliveries of
// it that are under way go on. A response that does not exist is misuse.
func (s *Server) RemoveResponse(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.store.responses.byID[id]
	if !ok {
		s.fatalf("clicknpstest: no ClickNPS response %q", id)
	}
	s.store.free(r)
	s.store.responses.remove(id)
}

// AddNPSSurvey adds a SalesOS survey, and returns it with what was missing filled in: a UUID, a
// name, the type transactional, the fake's time. IsActive is taken as it is. A survey with the
// same id is replaced, its responses with it.
func (s *Server) AddNPSSurvey(sv clicknps.NPSSurvey) clicknps.NPSSurvey {
	s.mu.Lock()
	defer s.mu.Unlock()
	sv.ID = cmp.Or(sv.ID, s.store.newUUID())
	sv.Name = cmp.Or(sv.Name, "My Survey")
	sv.Type = cmp.Or(sv.Type, clicknps.NPSTransactional)
	sv.CreatedAt = cmp.Or(stored(sv.CreatedAt), s.instant())
	sv.UpdatedAt = cmp.Or(stored(sv.UpdatedAt), sv.CreatedAt)
	sv.RawJSON = nil
	s.store.npsSurveys.put(sv.ID, (*npsSurvey)(&sv))
	s.removeResponsesTo(sv.ID)
	return sv
}

// AddNPSResponse adds a response to the SalesOS survey that r.SurveyID names, and returns it with
// a UUID and the fake's time filled in if they were missing. The score may be [clicknps.NoScore].
// A survey that does not exist is misuse.
func (s *Server) AddNPSResponse(r clicknps.NPSResponse) clicknps.NPSResponse {
	s.checkScore(r.Score, clicknps.NoScore)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store.npsSurveys.byID[r.SurveyID] == nil {
		s.fatalf("clicknpstest: no SalesOS survey %q", r.SurveyID)
	}
	r.ID = cmp.Or(r.ID, s.store.newUUID())
	r.CreatedAt = cmp.Or(stored(r.CreatedAt), s.instant())
	r.RawJSON = nil
	s.store.npsResponses = append(s.store.npsResponses, npsResponse(r))
	return r
}

// Respond answers a ClickNPS survey as if the customer clicked the link of score, and wrote
// comment if it is not empty. Only the first answer of a subject counts: a later one changes
// nothing, and the first is returned. It is delivered to webhooks 180 s later. The survey need not
// exist.
func (s *Server) Respond(surveyID, subjectID string, score int, comment string) clicknps.Response {
	s.checkScore(score, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _ := s.answerSurvey(asked{surveyID, subjectID}, score, comment)
	return r.Response
}

// SetTarget sets the number of responses that completes a ClickNPS survey: its status becomes
// completed, and survey.completed is delivered. 0 removes the target. A survey that does not exist
// is misuse, and so is a negative target.
func (s *Server) SetTarget(surveyID string, responses int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sv, ok := s.store.surveys.byID[surveyID]
	if !ok || responses < 0 {
		s.fatalf("clicknpstest: no ClickNPS survey %q, or negative target %d", surveyID, responses)
	}
	sv.target = responses
	s.completeSurvey(sv)
}

func (s *Server) checkScore(score, least int) {
	if score < least || score > 10 {
		s.fatalf("clicknpstest: score %d is not from %d to 10", score, least)
	}
}

// Surveys returns copies of the ClickNPS surveys in the order of their creation.
func (s *Server) Surveys() []clicknps.Survey {
	return inspect(s, &s.store.surveys.items, func(sv *survey) clicknps.Survey { return sv.Survey })
}

// Responses returns copies of the ClickNPS responses in the order of their creation.
func (s *Server) Responses() []clicknps.Response {
	return inspect(s, &s.store.responses.items, func(r *response) clicknps.Response { return r.Response })
}

// Webhooks returns copies of the ClickNPS webhooks in the order of their creation.
func (s *Server) Webhooks() []clicknps.Webhook {
	return inspect(s, &s.store.webhooks.items, func(w *hook) clicknps.Webhook {
		c := clicknps.Webhook(*w)
		c.Events = slices.Clone(c.Events)
		return c
	})
}

// NPSSurveys returns copies of the SalesOS surveys in the order of their creation.
func (s *Server) NPSSurveys() []clicknps.NPSSurvey {
	return inspect(s, &s.store.npsSurveys.items, func(sv *npsSurvey) clicknps.NPSSurvey {
		return clicknps.NPSSurvey(*sv)
	})
}

// NPSResponses returns copies of the responses to all SalesOS surveys in the order of their creation.
func (s *Server) NPSResponses() []clicknps.NPSResponse {
	return inspect(s, &s.store.npsResponses, func(r npsResponse) clicknps.NPSResponse {
		return clicknps.NPSResponse(r)
	})
}

// inspect returns copies of items, which s.mu guards.
func inspect[T, P any](s *Server, items *[]T, public func(T) P) []P {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := make([]P, len(*items))
	for i, item := range *items {
		copies[i] = public(item)
	}
	return copies
}
