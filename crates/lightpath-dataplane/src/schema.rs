//! From the layout of one schema to that of the next.
//!
//! The schema is raised whenever the size or the meaning of anything pinned changes. The step that leads there says which maps are
//! others than before, and what becomes of their values. So a newer program goes on with the flows, slots, numbers and counters
//! of an older one. A schema from which no steps lead here is refused.

use lightpath_abi::SCHEMA;

use crate::maps::{NEW_FLOWS, REASONS, REPLIES};
use crate::values::Values;

/// What the values of a map are in the next schema.
type Translate = fn(Values) -> Values;

/// From one schema to the next.
#[derive(Debug)]
pub(crate) struct Step {
    from: u32,
    /// The maps that are others then. All that are not listed are the same ones, and both programs use them for a while.
    changed: &'static [(&'static str, Translate)],
    /// The maps that were not there before.
    added: &'static [&'static str],
}

/// All steps there are, without a gap.
static STEPS: [Step; 1] = [
    // There is room for reasons and kinds of answers to come, and new flows are counted.
    Step { from: 2, changed: &[(REASONS, unchanged), (REPLIES, unchanged)], added: &[NEW_FLOWS] },
];

const _: () = {
    let mut at = 0;
    while at < STEPS.len() {
        assert!(STEPS[at].from as usize + STEPS.len() == SCHEMA as usize + at);
        at += 1;
    }
};

/// The map has room for more, behind what there is.
fn unchanged(values: Values) -> Values {
    values
}

/// The steps from a schema to this one; `None` if they do not lead here.
pub(crate) fn steps_from(schema: u64) -> Option<&'static [Step]> {
    let at = STEPS.iter().position(|step| u64::from(step.from) == schema);
    let none = (schema == u64::from(SCHEMA)).then_some(STEPS.len());
    STEPS.get(at.or(none)?..)
}

/// Whether a map is another one after these steps.
pub(crate) fn change(steps: &[Step], name: &str) -> bool {
    translations(steps, name).next().is_some()
}

/// Whether a map is one that these steps add, with nothing in it.
pub(crate) fn add(steps: &[Step], name: &str) -> bool {
    steps.iter().any(|step| step.added.contains(&name))
}

/// What the values of a map are after these steps.
pub(crate) fn translate(steps: &[Step], name: &str, values: Values) -> Values {
    translations(steps, name).fold(values, |values, translate| translate(values))
}

fn translations<'a>(steps: &'a [Step], name: &'a str) -> impl Iterator<Item = Translate> + 'a {
    let of_step = move |step: &'a Step| step.changed.iter().find(|(known, _)| *known == name);
    steps.iter().filter_map(of_step).map(|(_, translate)| *translate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_from_every_known_schema_to_this_one_and_from_no_other() {
        assert_eq!(steps_from(u64::from(SCHEMA)).unwrap().len(), 0);
        for known in STEPS[0].from..SCHEMA {
            let steps = steps_from(u64::from(known)).unwrap();
            assert_eq!((steps[0].from, steps.len()), (known, (SCHEMA - known) as usize));
        }
        for unknown in [0, u64::from(STEPS[0].from) - 1, u64::from(SCHEMA) + 1, u64::MAX] {
            assert!(steps_from(unknown).is_none(), "{unknown}");
        }
    }

    /// Each value of one word becomes one of two.
    fn wider(values: Values) -> Values {
        assert_eq!(values.width, 1);
        Values { width: 2, words: values.words.into_iter().flat_map(|word| [word, 0]).collect() }
    }

    fn doubled(mut values: Values) -> Values {
        values.words.iter_mut().for_each(|word| *word *= 2);
        values
    }

    #[test]
    fn several_steps_are_taken_one_after_another_and_leave_alone_what_they_do_not_name() {
        let steps = [
            Step { from: 7, changed: &[("FLOWS", doubled), ("SLOTS", unchanged)], added: &["SOURCES"] },
            Step { from: 8, changed: &[("FLOWS", wider)], added: &[] },
        ];
        let values = Values { width: 1, words: vec![1, 2] };
        assert_eq!(translate(&steps, "FLOWS", values.clone()), Values { width: 2, words: vec![2, 0, 4, 0] });
        assert_eq!(translate(&steps, "BACKENDS", values.clone()), values);
        let others = ["FLOWS", "SLOTS", "BACKENDS"].map(|name| change(&steps, name));
        assert_eq!(others, [true, true, false]);
        assert_eq!(["FLOWS", "SOURCES"].map(|name| add(&steps, name)), [false, true]);
    }
}
