package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"strings"

	"github.com/clicknps/go-sdk"
)

type customer struct {
	id      string
	address *mail.Address
}

// readCustomers reads a CSV file with the columns id, name and email. Nothing is sent if a line is
// wrong.
func readCustomers(file string) (customers []customer, err error) {
	if file == "" {
		for i := range 10_000 {
			id := fmt.Sprintf("customer_%05d", i+1)
			address := &mail.Address{Name: "Sam Sample", Address: id + "@example.com"}
			customers = append(customers, customer{id, address})
		}
		return customers, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	seen := map[string]bool{} // in lower case: some file systems do not tell A.eml from a.eml
	r := csv.NewReader(f)
	r.FieldsPerRecord = 3
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return customers, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		id := strings.TrimPrefix(record[0], "\ufeff") // what Excel begins a file with
		if line == 1 && id == "id" {
			continue
		}
		address, err := mail.ParseAddress(record[2])
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", file, line, err)
		}
		if id == "" || seen[strings.ToLower(id)] {
			return nil, fmt.Errorf("%s: line %d: the id %q is empty or comes twice", file, line, id)
		}
		seen[strings.ToLower(id)] = true
		customers = append(customers, customer{id, &mail.Address{Name: record[1], Address: address.Address}})
	}
}

// withoutMail returns the customers that have no mail in the outbox.
func (m *mailer) withoutMail(customers []customer) (todo []customer, err error) {
	for _, c := range customers {
		_, err := m.outbox.Lstat(c.id + ".eml")
		if errors.Is(err, os.ErrNotExist) {
			todo = append(todo, c)
		} else if err != nil {
			return nil, err
		}
	}
	return todo, nil
}

// mailText returns a mail with a link for each score.
func mailText(to *mail.Address, links clicknps.ScoreLinks) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "To: %v\r\n", to) // encodes the name: it can't add a header
	text.WriteString("Subject: How likely are you to recommend us?\r\n")
	text.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
	text.WriteString("Please click a score:\r\n\r\n")
	for score, link := range links {
		fmt.Fprintf(&text, "%2d  %s\r\n", score, link)
	}
	return text.Bytes()
}
