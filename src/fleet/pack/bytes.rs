//! Tokens as bytes, seen from a pattern.
//!
//! The first numbers are the pattern's position and how much later than the pattern's the instant is that the state knows,
//! in steps to and fro: 0, -1, 1, -2 … Then, either a byte below 128, for as many tokens as the pattern predicts, or a byte
//! with the next token's kind, and its digits. Of a number, a span or millionths the kind says only how it is written: which
//! of them it is says the pattern, unless a byte before it does.

use alloc::vec::Vec;

use super::token::{Token, Unsaid};

/// A run that is longer than a byte below this says follows in digits.
const LONG_RUN: u8 = 127;
const NONE: u8 = 128;
const SOME: u8 = 129;
const MISSING: u8 = 130;
const FALSE: u8 = 131;
const TRUE: u8 = 132;
const SIGNED: u8 = 133;
const MICROS: u8 = 134;
const FLOAT: u8 = 135;
const SPAN: u8 = 136;
const ROW: u8 = 137;
const UNIT: u8 = 138;
const VARIANT: u8 = 139;
/// A number that was said before, by its position among the bases.
const AGAIN: u8 = 140;
/// The pattern's number, moved by as much as its instant.
const MOVED: u8 = 141;
/// A number, in one of the scales.
const PLAIN: u8 = 142;
/// So far before and after one of the bases, in one of the scales: delays are whole numbers of seconds.
const BEFORE: u8 = 146;
const AFTER: u8 = 150;
const SCALES: [u64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];
/// What follows is a number, although the pattern has none.
const NUMBER: u8 = 154;
/// Numbers from here on stand for themselves.
const SMALL: u8 = 155;
/// Numbers from here on are worth remembering.
const LARGE: u64 = 1 << 14;

/// No state is nested as deeply.
const DEEPEST: u32 = 48;

/// The tokens that are written as numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Number,
    Span,
    Micros,
}

impl Sort {
    const fn of(token: Token) -> Option<(Self, u64)> {
        match token {
            Token::Number(number) => Some((Self::Number, number)),
            Token::Span(nanos) => Some((Self::Span, nanos)),
            Token::Micros(micros) => Some((Self::Micros, micros)),
            _ => None,
        }
    }

    const fn token(self, number: u64) -> Token {
        match self {
            Self::Number => Token::Number(number),
            Self::Span => Token::Span(number),
            Self::Micros => Token::Micros(number),
        }
    }

    /// The byte that says which of them follows.
    const fn kind(self) -> u8 {
        match self {
            Self::Number => NUMBER,
            Self::Span => SPAN,
            Self::Micros => MICROS,
        }
    }
}

/// A number that is worth remembering.
fn large(token: Token) -> Option<u64> {
    Sort::of(token).map(|(_, number)| number).filter(|number| *number >= LARGE)
}

/// What both directions know alike.
struct Context<'a> {
    pattern: &'a [Token],
    pattern_now: u64,
    now: u64,
    /// What the pattern's large numbers turned out to be.
    known: Vec<(u64, u64)>,
    /// Large numbers that were met.
    said: Vec<u64>,
}

impl<'a> Context<'a> {
    fn new(now: u64, (pattern, pattern_now): (&'a [Token], u64)) -> Self {
        Self { pattern, pattern_now, now, known: [(pattern_now, now)].to_vec(), said: [now].to_vec() }
    }

    fn pattern(&self, at: Option<usize>) -> Option<Token> {
        self.pattern.get(at?).copied()
    }

    fn predicted(&self, at: Option<usize>) -> Option<Token> {
        let token = self.pattern(at)?;
        let Some((sort, number @ LARGE..)) = Sort::of(token) else { return Some(token) };
        let known = self.known.iter().rev().find(|(pattern, _)| *pattern == number);
        Some(sort.token(known.map_or(number, |(_, known)| *known)))
    }

    /// Which of those that are written as numbers the pattern has at this place.
    fn sort(&self, at: Option<usize>) -> Sort {
        self.pattern(at).and_then(Sort::of).map_or(Sort::Number, |(sort, _)| sort)
    }

    /// The pattern's number at this place, moved by as much as its instant.
    fn moved(&self, at: Option<usize>) -> Option<u64> {
        let (_, number) = Sort::of(self.pattern(at)?)?;
        Some(number.wrapping_add(self.now).wrapping_sub(self.pattern_now))
    }

    /// What a number at this place may be told by: what was predicted for it, and what was said before.
    fn bases(&self, at: Option<usize>) -> impl Iterator<Item = u64> {
        let predicted = self.predicted(at).and_then(large).unwrap_or(0);
        core::iter::once(predicted).chain(self.said.iter().copied())
    }

    /// A token was said where the pattern has another.
    fn note(&mut self, token: Token, at: Option<usize>) {
        let Some(number) = large(token) else { return };
        if let Some(pattern) = self.pattern(at).and_then(large) {
            self.known.push((pattern, number));
        }
        self.hear(token);
    }

    /// A token was said or predicted.
    fn hear(&mut self, token: Token) {
        if let Some(number) = large(token).filter(|number| !self.said.contains(number)) {
            self.said.push(number);
        }
    }

    /// The place after the pattern's value at `at`.
    fn skip(&self, mut at: usize) -> usize {
        let mut left = 1_u32;
        while let Some(token) = self.pattern.get(at).filter(|_| left > 0) {
            left = left.saturating_sub(1).saturating_add(token.children());
            at = at.saturating_add(1);
        }
        at
    }
}

/// Either direction.
trait Direction<'a> {
    fn context(&self) -> &Context<'a>;

    /// The next token, for which the pattern has the one at `at`.
    fn token(&mut self, at: Option<usize>) -> Option<Token>;
}

/// Goes through one value with the pattern's value at `at` beside it, and gives the place after that.
fn walk<'a>(direction: &mut impl Direction<'a>, at: Option<usize>, depth: u32) -> Result<Option<usize>, Unsaid> {
    let token = direction.token(at).filter(|_| depth < DEEPEST).ok_or(Unsaid)?;
    let other = direction.context().pattern(at);
    let (ours, theirs) = (token.children(), other.map_or(0, Token::children));
    let alike = other.is_some_and(|other| core::mem::discriminant(&other) == core::mem::discriminant(&token));
    let common = if alike { ours.min(theirs) } else { 0 };
    let mut place = at.map(|at| at.saturating_add(1));
    for child in 0..ours {
        if child < common {
            place = walk(direction, place, depth.saturating_add(1))?;
        } else {
            walk(direction, None, depth.saturating_add(1))?;
        }
    }
    for _ in common..theirs {
        place = place.map(|at| direction.context().skip(at));
    }
    Ok(place)
}

pub(super) struct Packer<'a> {
    context: Context<'a>,
    tokens: core::slice::Iter<'a, Token>,
    bytes: Vec<u8>,
    /// Tokens that were predicted, one after the other.
    run: u32,
}

impl<'a> Packer<'a> {
    /// The bytes of a state that knows `now`, seen from a pattern and its instant, which is the one of that number.
    pub(super) fn pack(tokens: &'a [Token], now: u64, pattern: (&'a [Token], u64), number: usize) -> Vec<u8> {
        let mut packer = Self { context: Context::new(now, pattern), tokens: tokens.iter(), bytes: Vec::new(), run: 0 };
        packer.digits(u64::try_from(number).unwrap_or(u64::MAX));
        packer.digits(zigzag(now.wrapping_sub(pattern.1)));
        // A value says its own end, so nothing is left over.
        let _ = walk(&mut packer, Some(0), 0);
        packer.end_run();
        packer.bytes
    }

    fn end_run(&mut self) {
        match u8::try_from(self.run) {
            Ok(0) => {}
            Ok(short @ 1..LONG_RUN) => self.bytes.push(short),
            _ => {
                self.bytes.push(LONG_RUN);
                self.digits(u64::from(self.run));
            }
        }
        self.run = 0;
    }

    /// Seven bits a byte, the lowest first.
    fn digits(&mut self, mut number: u64) {
        while number >= 128 {
            self.bytes.push(u8::try_from(number & 127).unwrap_or(0) | 128);
            number >>= 7;
        }
        self.bytes.push(u8::try_from(number).unwrap_or(127));
    }

    fn kind(&mut self, kind: u8, number: u64) {
        self.bytes.push(kind);
        self.digits(number);
    }

    /// A number in the shortest way.
    fn number(&mut self, number: u64, at: Option<usize>) {
        if let Some(small) = u8::try_from(number).ok().and_then(|number| SMALL.checked_add(number)) {
            return self.bytes.push(small);
        }
        if self.context.moved(at) == Some(number) {
            return self.bytes.push(MOVED);
        }
        let again = self.context.bases(at).position(|base| base == number);
        if let Some(position) = again {
            return self.kind(AGAIN, u64::try_from(position).unwrap_or(u64::MAX));
        }
        let mut shortest = (way(PLAIN, number), None);
        for (base, position) in self.context.bases(at).zip(0..) {
            let side = if number < base { BEFORE } else { AFTER };
            let distance = way(side, number.abs_diff(base));
            if length(distance.1).saturating_add(1)
                < length(shortest.0.1).saturating_add(usize::from(shortest.1.is_some()))
            {
                shortest = (distance, Some(position));
            }
        }
        let ((kind, distance), base) = shortest;
        self.bytes.push(kind);
        if let Some(position) = base {
            self.digits(position);
        }
        self.digits(distance);
    }
}

/// A difference whose sign is in the lowest bit, so that small ones of either sign have few digits.
const fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ (0_u64.wrapping_sub(difference >> 63))
}

const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (0_u64.wrapping_sub(number & 1))
}

/// A distance in the largest scale that it is a whole number of, and the kind that says so.
fn way(kind: u8, distance: u64) -> (u8, u64) {
    let divides = |(scale, _): &(u64, u8)| distance.checked_rem(*scale) == Some(0);
    let (scale, position) = SCALES.into_iter().zip(0..).filter(divides).last().unwrap_or((1, 0));
    (kind.saturating_add(position), distance.checked_div(scale).unwrap_or(distance))
}

/// How many bytes the digits of a number above zero take.
const fn length(number: u64) -> usize {
    (70_u32.saturating_sub(number.leading_zeros()) / 7) as usize
}

impl<'a> Direction<'a> for Packer<'a> {
    fn context(&self) -> &Context<'a> {
        &self.context
    }

    fn token(&mut self, at: Option<usize>) -> Option<Token> {
        let token = *self.tokens.next()?;
        if self.context.predicted(at) == Some(token) {
            self.run = self.run.saturating_add(1);
            self.context.hear(token);
            return Some(token);
        }
        self.end_run();
        if let Some((sort, number)) = Sort::of(token) {
            if sort != self.context.sort(at) {
                self.bytes.push(sort.kind());
            }
            self.number(number, at);
        }
        match token {
            Token::Number(_) | Token::Span(_) | Token::Micros(_) => {}
            Token::None => self.bytes.push(NONE),
            Token::Some => self.bytes.push(SOME),
            Token::Missing => self.bytes.push(MISSING),
            Token::Bool(false) => self.bytes.push(FALSE),
            Token::Bool(true) => self.bytes.push(TRUE),
            Token::Signed(number) => self.kind(SIGNED, zigzag(u64::from_le_bytes(number.to_le_bytes()))),
            Token::Float(bits) => self.kind(FLOAT, bits),
            Token::Row(length) => self.kind(ROW, length.into()),
            Token::Unit(variant) => self.kind(UNIT, variant.into()),
            Token::Variant(variant) => self.kind(VARIANT, variant.into()),
        }
        self.context.note(token, at);
        Some(token)
    }
}

pub(super) struct Unpacker<'a> {
    context: Context<'a>,
    bytes: &'a [u8],
    tokens: Vec<Token>,
    run: u32,
}

impl<'a> Unpacker<'a> {
    /// The tokens that were packed, by the pattern of the number given and its instant; `None` if these bytes are none.
    pub(super) fn unpack(bytes: &'a [u8], pattern: impl Fn(usize) -> Option<(&'a [Token], u64)>) -> Option<Vec<Token>> {
        let context = Context::new(0, (&[], 0));
        let mut unpacker = Self { context, bytes, tokens: Vec::with_capacity(2_048), run: 0 };
        let pattern = pattern(usize::try_from(unpacker.digits()?).ok()?)?;
        let now = pattern.1.wrapping_add(unzigzag(unpacker.digits()?));
        unpacker.context = Context::new(now, pattern);
        walk(&mut unpacker, Some(0), 0).ok()?;
        (unpacker.bytes.is_empty() && unpacker.run == 0).then_some(unpacker.tokens)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn digits(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127).checked_shl(shift)?;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.digits()?).ok()
    }

    fn number(&mut self, kind: u8, at: Option<usize>) -> Option<u64> {
        if let Some(small) = kind.checked_sub(SMALL) {
            return Some(small.into());
        }
        match kind {
            MOVED => return self.context.moved(at),
            AGAIN => {
                let position = usize::try_from(self.digits()?).ok()?;
                return self.context.bases(at).nth(position);
            }
            _ => {}
        }
        let (way, scale) = [AFTER, BEFORE, PLAIN].into_iter().find_map(|way| Some((way, kind.checked_sub(way)?)))?;
        let position = if way == PLAIN { None } else { Some(usize::try_from(self.digits()?).ok()?) };
        let base = position.map_or(Some(0), |position| self.context.bases(at).nth(position))?;
        let distance = self.digits()?.wrapping_mul(*SCALES.get(usize::from(scale))?);
        Some(if way == BEFORE { base.wrapping_sub(distance) } else { base.wrapping_add(distance) })
    }
}

impl<'a> Direction<'a> for Unpacker<'a> {
    fn context(&self) -> &Context<'a> {
        &self.context
    }

    fn token(&mut self, at: Option<usize>) -> Option<Token> {
        if self.run == 0 && self.bytes.first().is_some_and(|byte| *byte <= LONG_RUN) {
            self.run = match self.byte()? {
                LONG_RUN => self.small()?,
                short => short.into(),
            };
        }
        if let Some(run) = self.run.checked_sub(1) {
            self.run = run;
            let token = self.context.predicted(at)?;
            self.context.hear(token);
            self.tokens.push(token);
            return Some(token);
        }
        let token = match self.byte()? {
            NONE => Token::None,
            SOME => Token::Some,
            MISSING => Token::Missing,
            FALSE => Token::Bool(false),
            TRUE => Token::Bool(true),
            SIGNED => Token::Signed(i64::from_le_bytes(unzigzag(self.digits()?).to_le_bytes())),
            FLOAT => Token::Float(self.digits()?),
            ROW => Token::Row(self.small()?),
            UNIT => Token::Unit(self.small()?),
            VARIANT => Token::Variant(self.small()?),
            kind => {
                let said = [Sort::Number, Sort::Span, Sort::Micros].into_iter().find(|sort| sort.kind() == kind);
                let kind = if said.is_some() { self.byte()? } else { kind };
                let number = self.number(kind, at)?;
                said.unwrap_or_else(|| self.context.sort(at)).token(number)
            }
        };
        self.context.note(token, at);
        self.tokens.push(token);
        Some(token)
    }
}
