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
	wire := &survey{
		ID: cmp.Or(sv.ID, s.store.newID("survey")), Name: cmp.Or(sv.Name, "My Survey"),
		Question:  cmp.Or(sv.Question, "How likely are you to recommend us?"),
		Status:    cmp.Or(string(sv.Status), "active"),
		CreatedAt: cmp.Or(stored(sv.CreatedAt), s.instant()), UpdatedAt: stored(sv.UpdatedAt),
	}
	s.store.surveys.put(wire.ID, wire)
	return wire.public()
}

// AddResponse adds a ClickNPS response as it is, and fills in a missing id and the fake's time.
// The score may be [clicknps.NoScore]. The response is then its subject's answer, and is not
// delivered to webhooks: see [Server.Respond]. A response with the same id is replaced, and its
// subject may answer again.
func (s *Server) AddResponse(r clicknps.Response) clicknps.Response {
	s.checkScore(r.Score, clicknps.NoScore)
	s.mu.Lock()
	defer s.mu.Unlock()
	wire := &response{
		ID: cmp.Or(r.ID, s.store.newID("response")), SurveyID: r.SurveyID, SubjectID: r.SubjectID,
		Score: score(r.Score), Comment: text(r.Comment),
		CreatedAt: cmp.Or(stored(r.CreatedAt), s.instant()), UpdatedAt: stored(r.UpdatedAt),
	}
	if old, ok := s.store.responses.byID[wire.ID]; ok {
		s.store.free(old)
	}
	s.store.responses.put(wire.ID, wire)
	s.store.answered[asked{wire.SurveyID, wire.SubjectID}] = s.store.responses.byID[wire.ID]
	return wire.public()
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
	s.store.npsSurveys.put(sv.ID, &npsSurvey{npsSurveyFields: npsSurveyFields(sv)})
	return sv
}

// AddNPSResponse adds a response to the SalesOS survey that r.SurveyID names, and returns it with
// a UUID and the fake's time filled in if they were missing. The score may be [clicknps.NoScore].
// A survey that does not exist is misuse.
func (s *Server) AddNPSResponse(r clicknps.NPSResponse) clicknps.NPSResponse {
	s.checkScore(r.Score, clicknps.NoScore)
	s.mu.Lock()
	defer s.mu.Unlock()
	sv, ok := s.store.npsSurveys.byID[r.SurveyID]
	if !ok {
		s.fatalf("clicknpstest: no SalesOS survey %q", r.SurveyID)
	}
	wire := &npsResponse{
		ID: cmp.Or(r.ID, s.store.newUUID()), SurveyID: r.SurveyID, Score: score(r.Score),
		Comment: text(r.Comment), Email: text(r.Email), CreatedAt: cmp.Or(stored(r.CreatedAt), s.instant()),
	}
	sv.responses = append(sv.responses, wire)
	return wire.public()
}

// Respond answers a ClickNPS survey as if the customer clicked the link of score, and wrote
// comment if it is not empty. Only the first answer of a subject counts: a later one changes
// nothing, and the first is returned. It is delivered to webhooks 180 s later. The survey need not
// exist.
func (s *Server) Respond(surveyID, subjectID string, score int, comment string) clicknps.Response {
	s.checkScore(score, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _ := s.answerSurvey(asked{surveyID, subjectID}, score, text(comment))
	return r.public()
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
	return inspect(s, &s.store.surveys, (*survey).public)
}

// Responses returns copies of the ClickNPS responses in the order of their creation.
func (s *Server) Responses() []clicknps.Response {
	return inspect(s, &s.store.responses, (*response).public)
}

// Webhooks returns copies of the ClickNPS webhooks in the order of their creation.
func (s *Server) Webhooks() []clicknps.Webhook {
	return inspect(s, &s.store.webhooks, func(w *wireWebhook) clicknps.Webhook {
		hook := clicknps.Webhook(*w)
		hook.Events = slices.Clone(hook.Events)
		return hook
	})
}

// NPSSurveys returns copies of the SalesOS surveys in the order of their creation.
func (s *Server) NPSSurveys() []clicknps.NPSSurvey {
	return inspect(s, &s.store.npsSurveys, func(sv *npsSurvey) clicknps.NPSSurvey {
		return clicknps.NPSSurvey(sv.npsSurveyFields)
	})
}

// NPSResponses returns copies of the responses to all SalesOS surveys, survey by survey.
func (s *Server) NPSResponses() []clicknps.NPSResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := []clicknps.NPSResponse{}
	for _, r := range s.allNPSResponses() {
		copies = append(copies, r.public())
	}
	return copies
}

func inspect[W, P any](s *Server, c *collection[W], public func(*W) P) []P {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := make([]P, len(c.items))
	for i, item := range c.items {
		copies[i] = public(item)
	}
	return copies
}

func (sv *survey) public() clicknps.Survey {
	return clicknps.Survey{
		ID: sv.ID, Name: sv.Name, Question: sv.Question, Status: clicknps.SurveyStatus(sv.Status),
		CreatedAt: sv.CreatedAt, UpdatedAt: sv.UpdatedAt,
	}
}

func (r *response) public() clicknps.Response {
	return clicknps.Response{
		ID: r.ID, SurveyID: r.SurveyID, SubjectID: r.SubjectID, Score: int(r.Score),
		Comment: string(r.Comment), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

func (r *npsResponse) public() clicknps.NPSResponse {
	return clicknps.NPSResponse{
		ID: r.ID, SurveyID: r.SurveyID, Score: int(r.Score), Comment: string(r.Comment),
		Email: string(r.Email), CreatedAt: r.CreatedAt,
	}
}
