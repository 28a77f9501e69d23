package clicknps

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
)

// npsSurveyList is the answer of GET /v1/nps-surveys.
type npsSurveyList struct {
	items []NPSSurvey

	origin
}

func (*npsSurveyList) identity() string { return known }

// UnmarshalJSON decodes a bare list or one in an envelope.
func (l *npsSurveyList) UnmarshalJSON(data []byte) error {
	list, _, err := findList(data)
	if err != nil {
		return err
	}
	l.items, err = decodeList[NPSSurvey](list)
	return err
}

// npsResponseList is the answer of GET /v1/nps-surveys/{id}/responses.
type npsResponseList struct{ NPSResponses }

// UnmarshalJSON decodes a bare list or one in an envelope, with the metrics beside it.
func (l *npsResponseList) UnmarshalJSON(data []byte) error {
	list, envelope, err := findList(data)
	if err != nil {
		return err
	}
	if l.Data, err = decodeList[NPSResponse](list); err != nil {
		return err
	}
	if metrics := envelope["metrics"]; len(metrics) > 0 && string(metrics) != "null" {
		err = unmarshal(metrics, &l.Metrics)
		l.Metrics.setOrigin(&document{json: metrics}, -1)
	}
	return err
}

func decodeList[T any, P resource[T]](list []byte) ([]T, error) {
	var items []T
	if err := unmarshal(list, &items); err != nil {
		return nil, err
	}
	return items, complete[T, P](items, list)
}

// listFields are where an envelope may have its list.
var listFields = []string{"data", "items", "surveys", "responses", "results"}

// findList finds the list in an answer, and the object that it stands in: SalesOS answers a bare list or an envelope.
func findList(data []byte) (list json.RawMessage, envelope map[string]json.RawMessage, err error) {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '[' {
		return data, nil, nil
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return nil, nil, err
	}
	for _, name := range listFields {
		inner := envelope[name]
		if len(inner) == 0 || inner[0] != '[' && inner[0] != '{' {
			continue
		}
		list, nearer, err := findList(inner)
		maps.Copy(envelope, nearer) // what stands nearer to the list holds
		return list, envelope, err
	}
	return nil, nil, errors.New("there is no list in it")
}
