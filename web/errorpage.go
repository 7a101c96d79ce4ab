package web

import (
	"io"
	"strings"
	"time"
)

// ErrorPage is a request that was not fulfilled.
type ErrorPage struct {
	Page
	// Status is the HTTP status that goes with the page.
	Status int
	// Incomplete marks a 404 that is not certain because somebody could not be
	// asked; Details then names them.
	Incomplete bool
	// Heading, Sentence and Advice say in a few words what happened, in a
	// sentence why, and in another what can be done. Each that is empty is
	// taken from the package's own texts for the status.
	Heading, Sentence, Advice string
	// Details are shown as a list: the endpoints that were silent, the methods
	// that are allowed.
	Details []string
	// RetryAfter is what the header field of that name says, else 0.
	RetryAfter time.Duration
	// Links are where to go from here. Nil offers to try again where that may
	// help, and the directory above.
	Links []Link
}

// words are the texts for one status.
type words struct {
	heading, sentence, advice string
	again                     bool
}

// wordsFor returns the package's texts.
func wordsFor(status int, incomplete bool) words {
	switch status {
	case 400:
		return words{"That request makes no sense here",
			"The address or a header of the request cannot be understood.",
			"Check the address for stray characters, or start again from the top of the tree.", false}
	case 401:
		return words{"Please say who you are",
			"This part of the tree is open only to people and programs that are known.",
			"Sign in when the browser asks, choose a client certificate, or send a token.", true}
	case 403:
		return words{"This is not open to you",
			"You are not allowed to do this here.",
			"If you should be, ask the administrator and quote the request number below.", false}
	case 404:
		if incomplete {
			return words{"Not found, as far as can be told",
				"Nobody who answered has this path, but not everybody answered. It may be on an endpoint that is silent now.",
				"Try again later; the answer is asked for afresh as soon as the silent endpoint is back.", true}
		}
		return words{"There is nothing here",
			"Every endpoint that could hold this path was asked, and none has it.",
			"Check the spelling, upper and lower case included. It may also have been moved or deleted.", false}
	case 405:
		return words{"That cannot be done here",
			"The address exists, but it does not take this kind of request.",
			"A directory cannot be overwritten, and a page under /-/ can only be read.", false}
	case 500:
		return words{"Something broke on this side",
			"An error inside Canopy kept it from answering. Your request was not at fault.",
			"Try again. If it stays, tell the administrator and quote the request number below.", true}
	case 502:
		return words{"The storage gave a bad answer",
			"The endpoint that was asked sent something that cannot be right, so it is not passed on.",
			"Try again; another copy may be chosen.", true}
	case 503:
		return words{"Not known just now",
			"An endpoint that may hold this path does not answer, so nobody can say whether it is there.",
			"Nothing is lost by waiting: the path is asked for afresh on every try.", true}
	case 504:
		return words{"The storage took too long",
			"The endpoint was asked and did not answer in time.",
			"Try again in a moment; it may be busy, or reading from tape.", true}
	}
	if status >= 500 {
		return words{"That did not work", "The server could not fulfil the request.", "Try again later.", true}
	}
	return words{"That did not work", "The request could not be fulfilled as it was made.", "", false}
}

// Error writes the page that explains a failure. The error is that of w, or
// of the template.
func (p *Pages) Error(w io.Writer, e ErrorPage) error {
	own := wordsFor(e.Status, e.Incomplete)
	if e.Heading == "" {
		e.Heading = own.heading
	}
	if e.Sentence == "" {
		e.Sentence = own.sentence
	}
	if e.Advice == "" {
		e.Advice = own.advice
	}
	if e.Links == nil {
		e.Links = e.ways(own.again)
	}
	return p.render(w, "error", e)
}

// ways are the links of a page that was given none.
func (e ErrorPage) ways(again bool) []Link {
	var links []Link
	if again || e.RetryAfter > 0 {
		// An empty reference is the page itself, query included.
		links = append(links, Link{Text: "Try again"})
	}
	steps := e.crumbs()
	if len(steps) > 2 {
		above := steps[len(steps)-2]
		links = append(links, Link{Text: "Up to " + above.Name, Href: above.Href})
	}
	if e.nested() || !strings.HasPrefix(e.Path, "/") {
		links = append(links, Link{Text: "Top of the tree", Href: e.root()})
	}
	return links
}
