package clicknpstest

import (
	"errors"
	"math"
	"strings"

	clicknps "github.com/clicknps/go-sdk"
)

// salesOSChecks only read.
var salesOSChecks = []check{
	{"a survey has id, name, question, type and times", func(c *serviceCheck) error {
		s, err := c.npsSurvey()
		if err != nil {
			return err
		}
		return all(
			expect(s.Name != "", "name is empty"),
			expect(s.Type == clicknps.NPSTransactional || s.Type == clicknps.NPSRelationship, "type is %q", s.Type),
			expect(believable(s.CreatedAt), "createdAt is %v", s.CreatedAt))
	}},
	{"a survey has no other fields", func(c *serviceCheck) error {
		s, err := c.npsSurvey()
		if err != nil {
			return err
		}
		return unknownFields(s.RawJSON, "id", "name", "question", "type", "isActive", "createdAt", "updatedAt")
	}},
	{"Get returns what the list shows", func(c *serviceCheck) error {
		s, err := c.npsSurvey()
		if err != nil {
			return err
		}
		got, err := c.client.SalesOS.NPS.Get(c.ctx, s.ID)
		if err != nil {
			return err
		}
		return expect(got.Name == s.Name && got.IsActive == s.IsActive && got.Type == s.Type, "they differ")
	}},
	{"a survey that does not exist is 404 with a message", func(c *serviceCheck) error {
		_, err := c.client.SalesOS.NPS.Get(c.ctx, missingID)
		return expectError(err, clicknps.ErrNotFound, 404)
	}},
	{"the metrics agree with themselves", func(c *serviceCheck) error {
		m, err := c.client.SalesOS.NPS.Metrics(c.ctx)
		if err != nil {
			return err
		}
		sum := m.Promoters + m.Passives + m.Detractors
		score := clicknps.Tally{Promoters: m.Promoters, Passives: m.Passives, Detractors: m.Detractors}.NPS()
		return all(
			expect(sum == m.TotalResponses, "%d responses in the categories, %d in all", sum, m.TotalResponses),
			expect(math.Abs(score-m.Score) <= 1, "the score is %v, and %v by its parts", m.Score, score))
	}},
	{"both metrics endpoints say the same", func(c *serviceCheck) error {
		a, errA := c.client.SalesOS.NPS.Metrics(c.ctx)
		b, errB := c.client.SalesOS.NPS.DashboardMetrics(c.ctx)
		if err := all(errA, errB); err != nil {
			return err
		}
		return expect(a.Score == b.Score, "scores %v and %v", a.Score, b.Score)
	}},
	{"the statistics have at most as many active surveys as surveys", func(c *serviceCheck) error {
		s, err := c.client.SalesOS.NPS.Stats(c.ctx)
		if err != nil {
			return err
		}
		return expect(s.ActiveSurveys <= s.TotalSurveys, "%d of %d", s.ActiveSurveys, s.TotalSurveys)
	}},
	{"responses have scores from 0 to 10", func(c *serviceCheck) error {
		s, err := c.npsSurvey()
		if err != nil {
			return err
		}
		page, err := c.client.SalesOS.NPS.Responses(c.ctx, s.ID, nil)
		if err != nil {
			return err
		}
		for _, r := range page.Data {
			if r.Score < clicknps.NoScore || r.Score > 10 {
				return expect(false, "score %d", r.Score)
			}
		}
		return nil
	}},
	{"a CSV export has a header and a line for each response", func(c *serviceCheck) error {
		s, err := c.npsSurvey()
		if err != nil {
			return err
		}
		var csv strings.Builder
		if _, err := c.client.SalesOS.NPS.Export(c.ctx, s.ID, clicknps.ExportCSV, &csv); err != nil {
			return err
		}
		page, err := c.client.SalesOS.NPS.Responses(c.ctx, s.ID, nil)
		if err != nil {
			return err
		}
		header, rows, _ := strings.Cut(csv.String(), "\n")
		return all(
			expect(strings.Contains(strings.ToLower(header), "score"), "the first line is %q", header),
			expect(strings.Count(rows, "\n") >= len(page.Data)-1, "of %d responses, it lacks some", len(page.Data)))
	}},
	{"answers bear X-RateLimit headers", func(c *serviceCheck) error {
		var info clicknps.CallInfo
		if _, err := c.client.SalesOS.NPS.Stats(c.ctx, clicknps.WithCallInfo(&info)); err != nil {
			return err
		}
		for name := range info.Header {
			if strings.HasPrefix(strings.ToLower(name), "x-ratelimit-remaining") {
				return nil
			}
		}
		return errors.New("there are none: the client can't pace itself")
	}},
}

// salesOSWriteChecks delete what they create.
var salesOSWriteChecks = []check{
	{"a survey is created, changed, replaced, toggled and deleted", func(c *serviceCheck) error {
		nps := c.client.SalesOS.NPS
		s, err := nps.Create(c.ctx, &clicknps.NPSSurveyCreateParams{
			Name: "SDK check", Question: "Is this a check?", Type: clicknps.NPSTransactional, IsActive: new(false),
		})
		if err != nil {
			return err
		}
		err = func() error {
			updated, err := nps.Update(c.ctx, s.ID, &clicknps.NPSSurveyUpdateParams{Name: new("SDK check 2")})
			if err != nil {
				return err
			}
			replaced, err := nps.Replace(c.ctx, s.ID, &clicknps.NPSSurveyReplaceParams{
				Name: "SDK check 3", Question: "Really?", Type: clicknps.NPSRelationship,
			})
			if err != nil {
				return err
			}
			toggled, err := nps.Toggle(c.ctx, s.ID)
			if err != nil {
				return err
			}
			return all(
				expect(updated.Name == "SDK check 2" && updated.Question == s.Question, "updated: %+v", *updated),
				expect(replaced.Type == clicknps.NPSRelationship, "the replacement shows %+v", *replaced),
				expect(toggled.IsActive != replaced.IsActive, "the toggle did not change isActive"))
		}()
		if err = errors.Join(err, nps.Delete(c.cleanup(), s.ID)); err != nil {
			return err
		}
		_, err = nps.Get(c.ctx, s.ID)
		return expectError(err, clicknps.ErrNotFound, 404)
	}},
	{"an unknown field is refused", func(c *serviceCheck) error {
		var made struct{ ID string }
		body := map[string]any{"name": "SDK check", "sdkCheck": 1}
		err := c.client.SalesOS.Do(c.ctx, "POST", "/nps-surveys", body, &made)
		if made.ID != "" {
			err = c.client.SalesOS.NPS.Delete(c.cleanup(), made.ID)
		}
		return expectError(err, clicknps.ErrBadRequest, 400)
	}},
}
